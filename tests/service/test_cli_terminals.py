"""What the command line does to terminals, narrow and wide, to pipes, full disks and Ctrl-C."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli import show
from service.cli.show import failures, progress, show_table, specs_table
from tests.service.test_cli_process import HEEDING, run

LONG = "open_clip:a-name-that-is-longer-than-a-line/of-a-terminal"


def table() -> Table:
    made = Table("id", "score", "")
    made.add_row(LONG, Text("0.469", "red"), "[/no] markup")
    made.add_row("b", "1", "")
    return made


def shown(width: int) -> str:
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False)
    show_table(table(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_narrow_terminal_gets_a_line_for_each_cell() -> None:
    lines = shown(59).splitlines()
    assert "".join(lines[:2]).replace(" ", "") == f"id{LONG}"
    assert lines[2:] == ["score 0.469", "[/no] markup", "", "id b", "score 1", "", ""]


@pytest.mark.parametrize("width", [60, 72, 100])
def test_nothing_is_cut_off_a_table(width: int) -> None:
    told = shown(width)
    assert "…" not in told
    cells = [line.split("│")[1].strip() for line in told.splitlines() if "│" in line]
    assert "".join(cells) == LONG + "b"
    assert "[/no] markup" in told


def test_names_of_models_are_broken_last() -> None:
    from embedder import catalog

    named = [catalog.find("open_clip:ViT-B-16-SigLIP-i18n-256/webli")]
    console = Console(width=120, file=io.StringIO())
    show_table(specs_table(named, narrow=True), console)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert named[0].name in told
    assert "to be downloaded" in told


def test_a_bar_tells_of_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(show, "notes", lambda: console)
    with progress("indexing") as bar:
        task = bar.add_task("", total=9)
        bar.update(task, advance=4, description=failures(0), refresh=True)
        assert isinstance(console.file, io.StringIO)
        assert "failed" not in console.file.getvalue()
        bar.update(task, advance=1, description=failures(1234), refresh=True)
    assert "1,234 failed" in console.file.getvalue()


@pytest.mark.parametrize("command", [["--version"], ["models"], ["models", "--json"]])
def test_a_full_disk_is_told_in_one_line(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        program = [sys.executable, "-m", "service", *command]
        told = subprocess.run(
            program, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert told.returncode == 1
    assert told.stderr == "error: [Errno 28] No space left on device\n"


def test_who_reads_no_further_is_told_nothing() -> None:
    program = f"{sys.executable} -m service models --family open_clip | head -1"
    told = subprocess.run(
        program, shell=True, capture_output=True, text=True, check=True, timeout=60
    )
    assert (told.stdout[0], told.stderr) == ("┏", "")


def test_letters_that_a_terminal_lacks_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    told = run("collections", "delete", "caf\u00e9", "--yes", "--data", "/nowhere/\u2713")
    assert told.returncode in (1, 2)
    assert "Traceback" not in told.stderr
    assert told.stderr.isascii()


FAKE = """
import os, signal, sys, types
from service.__main__ import main

class Cli(types.ModuleType):
    @property
    def app(self):
        if {when!r} == "loading":
            os.kill(os.getpid(), signal.SIGINT)
        return self.run

    def run(self, prog_name):
        try:
            if {when!r} == "running":
                os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("interrupted", prog_name, flush=True)

sys.modules["service.cli"] = Cli("service.cli")
main()
if {when!r} == "ending":
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(
    ("when", "status", "told"),
    [("loading", -2, ""), ("running", 0, "interrupted kindred\n"), ("ending", -2, "")],
)
def test_ctrl_c_is_quiet_before_and_after(when: str, status: int, told: str) -> None:
    program = [sys.executable, "-c", FAKE.format(when=when)]
    ended = subprocess.run(
        program, capture_output=True, text=True, check=False, timeout=60, preexec_fn=HEEDING
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, told, "")
