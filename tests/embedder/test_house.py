"""Rules of this room that no linter knows."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import embedder
from embedder import errors

ROOM = Path(embedder.__file__).parent
NEEDS_SCHEMAS = {"open_clip", "timm", "torchvision"}


def imported(module: ast.Module) -> list[str]:
    """Returns the top-level packages and own modules that a module imports, in order."""
    names: list[str] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names


def test_open_clip_is_only_imported_after_its_schemas() -> None:
    for path in ROOM.rglob("*.py"):
        names = imported(ast.parse(path.read_text()))
        if path.stem != "open_clip_import" and NEEDS_SCHEMAS & {n.split(".")[0] for n in names}:
            assert "embedder.models.open_clip_import" in names, path


def test_openvino_is_only_imported_in_silence() -> None:
    for path in ROOM.rglob("*.py"):
        names = imported(ast.parse(path.read_text()))
        if "openvino" in {name.split(".")[0] for name in names}:
            assert "embedder.runtime.openvino" in names, path
    source = (ROOM / "runtime" / "openvino.py").read_text()
    assert "embedder.runtime.openvino_import" in imported(ast.parse(source))


def test_open_clip_imports_on_this_machine() -> None:
    code = (
        "from embedder.models.open_clip_import import import_open_clip;"
        "assert import_open_clip() is import_open_clip();"
        "import torchvision, timm; print(import_open_clip().__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "open_clip"


def test_the_tree_of_errors_shows_every_error() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    assert errors.__doc__
    for cls in classes:
        assert issubclass(cls, errors.EmbedderError)
        assert cls.__doc__
        assert f" {cls.__name__} " in errors.__doc__.replace("\n", " ")


def test_decoding_needs_no_model_library() -> None:
    code = (
        "import embedder.decode, embedder.base, sys;"
        "print([m for m in ('torch', 'timm', 'open_clip') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
