"""How long code of the house may be; generated code may be as long as it likes."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("embedder", "indexes", "service", "kindred", "benchmarks")
GENERATED = ROOT / "kindred" / "v1"
MOST_OF_A_FUNCTION, MOST_OF_A_FILE = 40, 300


def sources(*folders: str) -> Iterator[Path]:
    """Yields the files of some folders that were written by hand."""
    for folder in folders:
        yield from (it for it in (ROOT / folder).rglob("*.py") if GENERATED not in it.parents)


def test_no_function_is_long() -> None:
    long = [
        (str(path.relative_to(ROOT)), node.name, lines)
        for path in sources(*ROOMS, "tests", "examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_OF_A_FUNCTION
    ]
    assert long == []


def test_no_file_of_a_room_is_long() -> None:
    long = [
        (str(path.relative_to(ROOT)), lines)
        for path in sources(*ROOMS)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_OF_A_FILE
    ]
    assert long == []
