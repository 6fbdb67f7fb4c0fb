"""Fails when kindred/v1 is not what proto/ generates: `python -m tests.generated`."""

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent


def generate(out: Path) -> None:
    """Runs the same generator as `make proto`, into another folder."""
    sources = sorted(str(path) for path in (ROOT / "proto/kindred/v1").glob("*.proto"))
    well_known = Path(protoc.__file__).parent / "_proto"
    status = protoc.main(
        ["protoc", f"-I{ROOT / 'proto'}", f"-I{well_known}"]
        + [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        + sources
    )
    if status:
        raise SystemExit(f"protoc failed with status {status}")


def stale() -> list[str]:
    """Returns the generated files that differ from a fresh generation, by name."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {p.name: p.read_text() for p in Path(folder, "kindred/v1").iterdir()}
    kept = {p.name: p.read_text() for p in (ROOT / "kindred/v1").glob("*_pb2*")}
    return sorted(name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name))


if __name__ == "__main__":
    names = stale()
    if names:
        sys.exit(f"kindred/v1 is not what proto/ generates; run `make proto`: {', '.join(names)}")
