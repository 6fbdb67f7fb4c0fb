"""The wheel: everything that the rooms hold, and nothing else."""

import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from service.telemetry import VERSION

ROOT = Path(__file__).parents[1]
ROOMS = ("embedder", "indexes", "kindred", "service")
ONLY_TO_READ = {"embedder/training/EXPERIMENTS.md"}
NO_SOURCES = shutil.ignore_patterns("__pycache__", ".*")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel of a copy of the tree: building leaves folders behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=NO_SOURCES)
    (source / "tests").mkdir()
    (source / "tests/__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--wheel-dir", str(built), "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = built.iterdir()
    return ZipFile(path)


def test_it_holds_the_rooms_and_nothing_else(wheel: ZipFile) -> None:
    sources = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == sources - ONLY_TO_READ
    for needed in (
        "embedder/weights/kindred-mini.safetensors",
        "kindred/v1/collection_service_pb2_grpc.py",
        "service/web/index.html",
    ):
        assert needed in held
        assert wheel.read(needed) == (ROOT / needed).read_bytes()


def test_it_says_what_it_is_and_what_runs_it(wheel: ZipFile) -> None:
    (folder,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    about = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
    assert (about["Name"], about["Version"]) == ("kindred", VERSION)
    assert about["License-Expression"] == "Apache-2.0"
    commands = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "kindred = service" in commands
    assert wheel.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
