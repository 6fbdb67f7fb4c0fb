"""The command line as a process of its own: signals, pipes and start-up time."""

import contextlib
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from kindred import Client
from service.ingest.ingest import BATCH_FILES
from tests.samples import colours, film_bytes, image_bytes, picture, tone

FILES = 200

HEEDING = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""A shell's background jobs ignore Ctrl-C, and so would what a test among them starts."""


def run(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_ctrl_c_keeps_what_was_reported(tmp_path: Path) -> None:
    folder, gate = tmp_path / "texts", tmp_path / "gate"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:03}.txt").write_text(f"text {number}", encoding="utf-8")
    program = [sys.executable, "-m", "tests.service.gated_cli", str(gate)]
    command = [*program, "index", str(folder), "--data", str(tmp_path / "data"), "--verbose"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=HEEDING
    ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        gate.touch()
        said = first + process.stderr.read()
    reported = set(re.findall(r"^\+ (\S+)", said, re.MULTILINE))
    assert process.returncode == 130
    assert 0 < len(reported) < FILES
    assert f"Stopped: {len(reported)} added. Run it again" in said
    assert "Traceback" not in said

    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    kept = set(re.findall(r"^= (\S+)", again.stderr, re.MULTILINE))
    added = set(re.findall(r"^\+ (\S+)", again.stderr, re.MULTILINE))
    assert reported <= kept
    assert len(kept) + len(added) == FILES


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_twice_ends_at_once(tmp_path: Path, number: int) -> None:
    """Its model hangs; the first time it would wait for what has begun."""
    program = [sys.executable, "-m", "tests.service.gated_cli", str(tmp_path / "gate")]
    ports = ["--port", "0", "--grpc-port", "0", "--decode-workers", "0"]
    command = [*program, "serve", *ports, "--data", str(tmp_path / "data")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=HEEDING
    ) as process:
        assert process.stderr is not None
        address = next(line for line in process.stderr if line.startswith("Search page")).split()[2]
        asking = threading.Thread(target=_ask_for_much, args=(address,))
        asking.start()
        begun = f'queue_items{{model="fake"}} {FILES}.0'
        while begun not in httpx.get(f"{address}metrics").text:
            time.sleep(0.01)
        process.send_signal(number)
        next(line for line in process.stderr if '"stopping"' in line)
        process.send_signal(number)
        said = process.stderr.read()
        asking.join()
    assert process.returncode == -number
    assert "told to stop twice" in said
    assert "Traceback" not in said


def _ask_for_much(address: str) -> None:
    with contextlib.suppress(httpx.TransportError):
        httpx.post(f"{address}v1/embeddings", json={"input": [f"{n}" for n in range(FILES)]})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("z.png", image_bytes(picture("red"))),
        ("z.mp4", film_bytes(colours("red"), sound=tone(440, seconds=1, sample_rate=48_000))),
    ],
)
def test_ctrl_c_waits_for_no_decoder(tmp_path: Path, name: str, data: bytes) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(BATCH_FILES):
        (folder / f"{number:03}.txt").write_text(f"text {number}", encoding="utf-8")
    (folder / name).write_bytes(data)
    program = [sys.executable, "-m", "tests.service.hanging_cli"]
    command = [*program, "index", str(folder), "--data", str(tmp_path / "data"), "--verbose"]
    environment = {**os.environ, "KINDRED_DECODE_SECONDS": "3600"}
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        preexec_fn=HEEDING,
    ) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(BATCH_FILES))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said += process.stderr.read()
    assert process.returncode == 130
    assert f"Stopped: {BATCH_FILES} added. Run it again" in said
    assert "Traceback" not in said


def fake_serve(folder: Path, *options: str) -> list[str]:
    """Returns the command that serves the fake model on the folder."""
    gate = folder / "gate"
    gate.touch()
    program = [sys.executable, "-m", "tests.service.gated_cli", str(gate), "serve"]
    return [*program, "--data", str(folder / "data"), *options]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_where_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    command = fake_serve(tmp_path, "--port", "0", "--grpc-port", "0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = "".join(iter(process.stderr.readline, "Ctrl-C stops it.\n"))
        for address in re.findall(r"(?:http|grpc)://[\d.]+:\d+(?=/\n|\n)", said):
            with Client(address) as client:
                assert client.models()[0].name == "fake"
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_serve_refuses_a_taken_port(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"--port": "0", "--grpc-port": "0", option: str(taken.getsockname()[1])}
        command = fake_serve(tmp_path, *(part for pair in ports.items() for part in pair))
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    said = " ".join(result.stderr.split())
    assert (
        f"{option[2:].replace('-', '_')} {ports[option]} of 127.0.0.1 cannot be listened on" in said
    )
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "0.0.0.0"), "allow_anonymous"),
        (("--port", "99999"), "port: "),
        (("--max-items", "0"), "max_items: "),
    ],
)
def test_serve_refuses_wrong_settings(options: tuple[str, ...], message: str) -> None:
    result = run("serve", *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_environment_sets_what_no_flag_does() -> None:
    environment = {**os.environ, "KINDRED_LOG_LEVEL": "loud"}
    command = [sys.executable, "-m", "service", "serve"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert result.returncode == 2
    assert "log_level" in result.stderr


def test_help_teaches_without_loading_a_model() -> None:
    assert "kindred" in run("--help").stdout
    modules = "import sys, service.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"torch", "open_clip", "faiss", "grpc", "fastapi", "PIL", "av"}
    assert not heavy & set(loaded.stdout.split())
