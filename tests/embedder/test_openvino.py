"""OpenVINO: as true as torch, kept between starts, silent, and never in the way."""

import importlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from embedder import catalog
from embedder.base import Embedder
from embedder.errors import MissingDependency, Unfaithful, WeightsError
from embedder.media import Image, Media, Modality, Text
from embedder.models.mini import KindredMini
from embedder.models.mini_probes import probes
from embedder.runtime import choice, derive, fidelity, graphs
from embedder.runtime.base import LEAST_FIDELITY, Placement, Tower
from embedder.runtime.choice import place
from embedder.runtime.openvino import Graph, OpenVinoRuntime, native_precision
from tests.embedder.contract import EmbedderContract, samples_of
from tests.embedder.random_weights import write_random_weights

TORCH = Placement(threads=1, runtime="torch")
CAPTIONS = (
    "a man in a red shirt climbs a steep rock face above the sea",
    "an astronaut in an orange suit smiles in front of a flag",
    "a cup of coffee on a wooden table",
    "church bells",
    "the sound of a dog barking",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def fast(weights: Path, cache: Path) -> KindredMini:
    return KindredMini.load(weights, Placement(threads=1, cache=cache))


class TestRandomWeights(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, fast: KindredMini) -> Embedder:
        return fast


def real_items(modality: Modality) -> list[Media]:
    """Returns photographs, captions, and what else is at hand of a modality."""
    own = samples_of(modality) + list(probes()[modality])
    match modality:
        case Modality.IMAGE:
            photos = (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())
            return [Image(np.ascontiguousarray(photo)) for photo in photos] + own
        case Modality.TEXT:
            return [Text(caption) for caption in CAPTIONS] + own
        case Modality.AUDIO:
            return own


def assert_true_to_torch(found: Embedder, reference: Embedder) -> None:
    assert "openvino" in found.runtime
    assert found.space == reference.space
    for modality in Modality:
        items = real_items(modality)
        cosines = (found.embed(items) * reference.embed(items)).sum(axis=1)
        assert cosines.min() >= 0.999, f"{modality}: {cosines}"


def test_random_towers_are_true_to_torch(fast: KindredMini, weights: Path) -> None:
    assert_true_to_torch(fast, KindredMini.load(weights, TORCH))


@pytest.mark.weights
def test_the_bundled_weights_are_true_to_torch(graphs: Path) -> None:
    fast = catalog.load(how=Placement(threads=1, cache=graphs))
    assert_true_to_torch(fast, catalog.load(how=TORCH))


@pytest.mark.usefixtures("fast")
def test_a_second_start_needs_no_torch_and_tells_nobody(
    weights: Path, cache: Path, tmp_path: Path
) -> None:
    """openvino's converter reports its import to Google Analytics, unless it is kept out."""
    code = f"""
import sys
from pathlib import Path
from embedder.models.mini import KindredMini
from embedder.models.mini_probes import probes
from embedder.runtime.base import Placement
mini = KindredMini.load(Path({str(weights)!r}), Placement(threads=1, cache=Path({str(cache)!r})))
vectors = mini.embed([items[0] for items in probes().values()])
heavy = ("torch", "timm", "open_clip", "torchvision", "openvino_telemetry", "openvino.tools.ovc")
print(len(vectors), [name for name in heavy if name in sys.modules])
"""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.stdout.strip() == "3 []"
    assert not list(home.iterdir())


def test_the_converter_can_be_imported_afterwards() -> None:
    assert importlib.util.find_spec("openvino.tools.ovc") is not None


def test_a_kept_graph_gives_the_same_vectors(
    fast: KindredMini, weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derive, "derive", None)  # would be a TypeError
    again = KindredMini.load(weights, Placement(threads=1, cache=cache))
    items = [item for modality in Modality for item in samples_of(modality)]
    np.testing.assert_array_equal(again.embed(items), fast.embed(items))
    assert again.runtime == fast.runtime


def test_weights_that_do_not_fit_are_refused_as_by_torch(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.safetensors").write_bytes(weights.read_bytes()[:-5])
    with pytest.raises(WeightsError, match="must be a safetensors file"):
        KindredMini.load(tmp_path / "copy.safetensors", Placement(runtime="openvino"))


PROBE = np.array([[1.0, -2.0, 3.0]], dtype=np.float32)


def linear() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Linear(3, 4)


def tower(digest: str = "linear") -> Tower:
    return Tower(digest=digest, shape=(None, 3), build=linear, probes=lambda: [PROBE, 2 * PROBE])


def expected(batch: np.ndarray) -> np.ndarray:
    module = linear()
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(batch)).numpy())


def kept(cache: Path) -> Path:
    (path,) = (cache / "graphs").iterdir()
    return path


def test_batches_may_have_any_size(tmp_path: Path) -> None:
    runtime = place(tower(), Placement(threads=1, cache=tmp_path))
    assert isinstance(runtime, OpenVinoRuntime)
    for size in (1, 2, 7, 1):
        batch = np.random.default_rng(size).random((size, 3), dtype=np.float32)
        np.testing.assert_allclose(runtime.run(batch), expected(batch), atol=0.02)


def test_passes_beside_each_other_give_what_one_alone_gives(tmp_path: Path) -> None:
    runtime = place(tower(), Placement(threads=1, passes=2, cache=tmp_path))
    assert isinstance(runtime, OpenVinoRuntime)
    assert runtime._beside
    runtime._beside.result()  # until it is made, passes wait for the one alone
    batches = [np.full((rows, 3), rows, dtype=np.float32) for rows in range(1, 9)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(runtime.run, batches * 20))
    for batch, vectors in zip(batches * 20, found, strict=True):
        np.testing.assert_array_equal(vectors, runtime.run(batch))
        np.testing.assert_allclose(vectors, expected(batch), atol=0.1)


def test_a_damaged_graph_is_derived_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place(tower(), Placement(cache=tmp_path))
    whole = kept(tmp_path).read_bytes()
    rng = np.random.default_rng(0)
    flipped = [bytearray(whole) for _ in range(60)]
    for copy in flipped:
        copy[rng.integers(len(copy))] ^= 0xFF
    for damaged in (b"", b"words", whole[:100], whole[:-30], *map(bytes, flipped)):
        kept(tmp_path).write_bytes(damaged)
        graph = graphs.read(kept(tmp_path))
        if graph:  # what was hit says nothing, such as a date
            found = OpenVinoRuntime(graph, threads=1).run(PROBE)
            np.testing.assert_allclose(found, expected(PROBE), atol=0.02)
            assert (graph.precision, graph.fidelity > LEAST_FIDELITY) == (native_precision(), True)
    kept(tmp_path).write_bytes(whole[:-30])
    caplog.clear()
    place(tower(), Placement(cache=tmp_path))
    assert "is damaged and will be derived again" in caplog.text
    assert graphs.read(kept(tmp_path)) is not None


def test_a_folder_that_cannot_be_written_costs_time_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    runtime = place(tower(), Placement(cache=tmp_path / "file"))
    np.testing.assert_allclose(runtime.run(PROBE), expected(PROBE), atol=0.02)
    assert "can't be kept" in caplog.text


@pytest.fixture
def unlike(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the runtimes of the stated precisions seem unlike torch."""
    measure = fidelity.least_cosine

    def measured(runtime: OpenVinoRuntime, *rest: object) -> float:
        seems = any(runtime.name.endswith(precision) for precision in request.param)
        return 0.5 if seems else measure(runtime, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(derive, "least_cosine", measured)


@pytest.mark.usefixtures("unlike")
@pytest.mark.parametrize("unlike", [("bf16",)], indirect=True)
def test_a_precision_that_is_unlike_torch_gives_way() -> None:
    assert derive.derive(tower(), "bf16", "f32").precision == "f32"


@pytest.mark.usefixtures("unlike")
@pytest.mark.parametrize("unlike", [("bf16", "f32")], indirect=True)
def test_a_runtime_that_is_unlike_torch_gives_way(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(choice._NEEDS, "onnx", ("no_such_module",))
    runtime = place(tower(), Placement())
    assert (runtime.name, runtime.fidelity) == ("torch", 1.0)
    assert "the cosine of openvino f32 to torch is 0.50000, and must be 0.9999" in caplog.text


@pytest.mark.usefixtures("unlike")
@pytest.mark.parametrize("unlike", [("bf16", "f32")], indirect=True)
def test_what_is_unlike_torch_is_refused_where_it_was_asked_for() -> None:
    with pytest.raises(Unfaithful, match=r"must be 0\.999 or more, got 0\.50000 from openvino f32"):
        place(tower(), Placement(runtime="openvino"))
    knowingly = place(tower(), Placement(runtime="openvino", least_fidelity=0.5))
    assert (knowingly.name, knowingly.fidelity) == ("openvino f32", 0.5)


def test_float32_is_had_for_the_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = place(tower(), Placement(runtime="openvino", precision="fp32"))
    assert (runtime.name, runtime.precision) == ("openvino f32", "fp32")
    monkeypatch.setattr("embedder.runtime.openvino.native_precision", lambda: "f32")
    with pytest.raises(MissingDependency, match=r"must be auto, fp32 for openvino .* got 'bf16'"):
        place(tower(), Placement(precision="bf16"))


def test_a_tower_that_cannot_be_converted_runs_on_torch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> Graph:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(graphs, "graph_of", refuse)
    monkeypatch.setattr("embedder.runtime.onnx.graph_of", refuse)
    assert place(tower(), Placement()).name == "torch"
    for name in ("openvino", "onnx"):
        assert f"tower linear, since {name} can't: no such operation" in caplog.text


def test_deriving_leaves_torch_s_settings_alone() -> None:
    before = torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()
    derive.derive(tower(), "f32")
    assert (torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()) == before


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Placement(runtime="abacus"), "runtime must be openvino or onnx or torch, got 'abacus'"),
        (Placement(runtime="openvino", device="cuda"), "device must be cpu .* got 'cuda'"),
        (Placement(runtime="openvino", precision="fp16"), "auto, fp32.* this CPU, got 'fp16'"),
    ],
)
def test_a_runtime_that_cannot_be_had_is_named(how: Placement, words: str) -> None:
    with pytest.raises(MissingDependency, match=words):
        place(tower(), how)


def test_without_openvino_there_is_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    assert place(tower(), Placement()).name == "torch"
    with pytest.raises(MissingDependency, match="pip install openvino"):
        place(tower(), Placement(runtime="openvino"))


def test_signals_are_survived_after_cores_came_and_went() -> None:
    code = (
        "import os, signal\n"
        "from embedder.runtime.openvino_import import core\n"
        "first = core(); first.get_property('CPU', 'FULL_DEVICE_NAME')\n"
        "second = core(); second.get_property('CPU', 'FULL_DEVICE_NAME')\n"
        "del first; del second\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('survived'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "survived"), done.stderr
