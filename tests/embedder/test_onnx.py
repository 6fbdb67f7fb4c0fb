"""ONNX Runtime: as true as torch, at every length, kept between starts, and where it belongs."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedder.errors import MissingDependency, Unfaithful, Untranslatable
from embedder.runtime import choice
from embedder.runtime.base import Placement, Tower
from embedder.runtime.choice import place
from embedder.runtime.onnx import OnnxGraph, OnnxRuntime, graph_of

PROBES = [np.arange(1, 1 + n, dtype=np.int64)[None] for n in (2, 5, 9)]


class Attention(torch.nn.Module):
    """What is hard to export: attention over texts of any length."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.words = torch.nn.Embedding(16, 8)
        self.attention = torch.nn.MultiheadAttention(8, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids).transpose(0, 1)
        found: torch.Tensor = self.attention(x, x, x, need_weights=False)[0]
        return found.mean(0)


def tower(digest: str = "attention") -> Tower:
    return Tower(digest=digest, shape=(None, None), build=Attention, probes=lambda: PROBES)


def expected(batch: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(Attention().eval()(torch.from_numpy(batch)).numpy())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def runtime(cache: Path) -> OnnxRuntime:
    found = place(tower(), Placement(runtime="onnx", threads=1, cache=cache))
    assert isinstance(found, OnnxRuntime)
    return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 3), (2, 9)])
def test_it_gives_torch_s_vectors_at_every_length(
    runtime: OnnxRuntime, shape: tuple[int, int]
) -> None:
    batch = np.random.default_rng(0).integers(0, 16, shape)
    np.testing.assert_allclose(runtime.run(batch), expected(batch), atol=1e-6)
    assert (runtime.name, runtime.precision) == ("onnx", "fp32")
    assert runtime.fidelity == pytest.approx(1, abs=1e-6)


@pytest.mark.usefixtures("runtime")
def test_a_kept_graph_is_read_and_a_damaged_one_derived_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from embedder.runtime import derive_onnx

    def derived(_: Tower) -> OnnxGraph:
        raise RuntimeError("derived again")

    monkeypatch.setattr(derive_onnx, "derive", derived)
    again = place(tower(), Placement(runtime="onnx", threads=1, cache=cache))
    np.testing.assert_allclose(again.run(PROBES[1]), expected(PROBES[1]), atol=1e-6)
    (path,) = (cache / "graphs").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(Untranslatable, match="tower attention, and onnx can't: derived again"):
        place(tower(), Placement(runtime="onnx", cache=cache))
    path.write_bytes(whole)


@pytest.mark.usefixtures("runtime")
def test_a_second_start_needs_no_torch(cache: Path) -> None:
    code = f"""
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from embedder.runtime.base import Placement, Tower
from embedder.runtime.choice import place
tower = Tower(digest="attention", shape=(None, None), build=None, probes=None)
found = place(tower, Placement(runtime="onnx", threads=1, cache=Path({str(cache)!r})))
vectors = found.run(np.array([[1, 2]]))
print(vectors.shape, [name for name in ("torch", "onnx", "onnxscript") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 8) []"


@pytest.mark.usefixtures("runtime")
def test_a_graph_that_is_unlike_torch_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlike = replace(graph_of(tower(), cache), fidelity=0.9)
    monkeypatch.setattr("embedder.runtime.onnx.graph_of", lambda *_: unlike)
    with pytest.raises(Unfaithful, match=r"must be 0\.999 .* got 0\.90000 from onnx on tower"):
        place(tower(), Placement(runtime="onnx"))


@pytest.mark.parametrize(
    ("native", "precision", "order"),
    [
        ("bf16", "auto", ("openvino", "onnx", "torch")),
        ("f32", "auto", ("onnx", "openvino", "torch")),
        ("bf16", "fp32", ("onnx", "openvino", "torch")),
        ("bf16", "bf16", ("openvino", "onnx", "torch")),
    ],
)
def test_it_comes_first_where_the_cpu_has_no_bf16(
    native: str, precision: str, order: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedder.runtime.openvino.native_precision", lambda: native)
    assert choice._ways(Placement(precision=precision)) == order


def test_what_it_has_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDependency, match="must be auto or fp32 for onnx, got 'bf16'"):
        place(tower(), Placement(runtime="onnx", precision="bf16"))
    with pytest.raises(MissingDependency, match="device must be cpu for onnx, got 'cuda'"):
        place(tower(), Placement(runtime="onnx", device="cuda"))
    monkeypatch.setitem(choice._NEEDS, "onnx", ("no_such_module",))
    with pytest.raises(
        MissingDependency, match=r'must be installed: pip install "kindred\[onnx\]"'
    ):
        place(tower(), Placement(runtime="onnx"))


def test_nobody_is_told_that_it_runs(cache: Path, tmp_path: Path) -> None:
    """Unless it is kept from it, its import keeps an id of the machine, and events to be sent."""
    graph_of(tower(), cache)
    code = f"""
from pathlib import Path
import numpy as np
from embedder.runtime.base import Tower
from embedder.runtime.onnx import OnnxRuntime, graph_of
tower = Tower(digest="attention", shape=(None, None), build=None, probes=None)
print(OnnxRuntime(graph_of(tower, Path({str(cache)!r})), threads=1).run(np.ones((3, 4), int)).shape)
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "CI": ""},
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "(3, 8)"
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]


def test_only_one_place_imports_it() -> None:
    rooms = Path(__file__).parents[2]
    users = [
        path.name
        for room in ("embedder", "indexes", "service", "kindred")
        for path in (rooms / room).rglob("*.py")
        if "import onnxruntime" in path.read_text()
    ]
    assert users == []
