"""The command line as a process of its own: signals, pipes and start-up time."""

import re
import signal
import subprocess
import sys
from pathlib import Path

FILES = 200


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
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
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


def test_help_teaches_without_loading_a_model() -> None:
    assert "kindred" in run("--help").stdout
    modules = "import sys, service.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"torch", "open_clip", "faiss", "grpc", "fastapi", "PIL", "av"}
    assert not heavy & set(loaded.stdout.split())


def test_every_command_has_an_example_or_says_what_it_does() -> None:
    for command in ("serve", "index", "search", "embed", "models", "evaluate", "train", "doctor"):
        result = run(command, "--help")
        assert result.returncode == 0, command
        assert f"kindred {command}" in result.stdout
