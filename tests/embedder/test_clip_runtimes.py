"""open_clip's models on every runtime, against open_clip's own vectors."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedder.base import Vectors
from embedder.errors import Untranslatable
from embedder.media import Media, Text
from embedder.models import clip_towers
from embedder.models.clip import ClipModel
from embedder.runtime import choice, derive
from embedder.runtime.base import Placement
from embedder.runtime.openvino import native_precision
from tests.embedder.open_clip_folders import KINDS, write_folder
from tests.kindred.open_clip_peer import PICTURES, TEXTS, own_vectors

ITEMS: list[Media] = [*(Text(text) for text in TEXTS), *PICTURES]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("open_clip")
    return {kind: f"local-dir:{write_folder(folder / kind, kind)}" for kind in KINDS}


@pytest.fixture(scope="module")
def expected(places: Mapping[str, str]) -> Mapping[str, Vectors]:
    return {kind: own_vectors(place) for kind, place in places.items()}


def loaded(place: str, cache: Path | None, how: Placement | None = None) -> ClipModel:
    return ClipModel.load(f"open_clip:{place}", replace(how or Placement(), threads=1, cache=cache))


def graphs(cache: Path) -> list[Path]:
    return sorted((cache / "graphs").iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_openvino_is_chosen_and_true(
    places: Mapping[str, str], expected: Mapping[str, Vectors], cache: Path, kind: str
) -> None:
    model = loaded(places[kind], cache, Placement(runtime="openvino"))
    assert model.runtime == f"openvino {native_precision()}"
    cosines = (model.embed(ITEMS) * expected[kind]).sum(axis=1)
    assert cosines.min() >= 0.999
    assert 0.999 <= model.fidelity <= 1
    assert model.fidelity == pytest.approx(cosines.min(), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "runtime"),
    [("vit", "openvino"), ("convnext", "openvino"), ("siglip", "openvino"), ("vit", "onnx")],
)
def test_float32_is_open_clips_own(
    *, places: Mapping[str, str], expected: Mapping[str, Vectors], kind: str, runtime: str
) -> None:
    model = loaded(places[kind], None, Placement(runtime=runtime, precision="fp32"))
    assert (model.runtime.split()[0], model.precision) == (runtime, "fp32")
    np.testing.assert_allclose(model.embed(ITEMS), expected[kind], atol=1e-5)
    assert model.fidelity == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_does_not_depend_on_what_is_beside_it(
    places: Mapping[str, str], cache: Path, kind: str
) -> None:
    model = loaded(places[kind], cache)
    words = [Text(" ".join(["rain"] * count)) for count in (1, 2, 3, 5, 8, 13, 21, 34, 90)]
    items: list[Media] = [*words, *PICTURES, *(Text(f"number {i}") for i in range(40))]
    alone = np.concatenate([model.embed([item]) for item in items])
    np.testing.assert_allclose(model.embed(items), alone, atol=1e-5)


def test_the_space_is_the_same_on_every_runtime(places: Mapping[str, str], cache: Path) -> None:
    models = [loaded(places["vit"], cache, Placement(runtime=it)) for it in ("openvino", "torch")]
    assert models[0].space == models[1].space
    assert models[0].parameters == models[1].parameters > 0


def test_kept_graphs_are_read_and_damaged_ones_derived_again(
    places: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vectors = loaded(places["vit"], tmp_path).embed(ITEMS)
    image, text = graphs(tmp_path)
    assert (image.name[:16], text.name[:15]) == ("open_clip-image-", "open_clip-text-")
    with monkeypatch.context() as patched:
        patched.setattr(derive, "derive", None)  # would be a TypeError
        again = loaded(places["vit"], tmp_path)
    np.testing.assert_array_equal(again.embed(ITEMS), vectors)
    whole = text.read_bytes()
    text.write_bytes(whole[: len(whole) // 2])
    mended = loaded(places["vit"], tmp_path)
    assert f"the graph {text} is damaged and will be derived again" in caplog.text
    np.testing.assert_array_equal(mended.embed(ITEMS), vectors)
    # Parts of a graph are numbered on and on by the process, in as many digits as that takes.
    assert text.stat().st_size == pytest.approx(len(whole), rel=1e-3)


def test_other_weights_have_other_graphs(
    places: Mapping[str, str], cache: Path, tmp_path: Path
) -> None:
    loaded(places["vit"], cache)
    before, other = set(graphs(cache)), write_folder(tmp_path / "other", "vit", seed=1)
    loaded(f"local-dir:{other}", cache)
    assert len(set(graphs(cache)) - before) == 2


def test_what_cannot_be_translated_runs_on_torch(
    places: Mapping[str, str],
    expected: Mapping[str, Vectors],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    forward = clip_towers._CausalText.forward

    def refusing(self: clip_towers._CausalText, ids: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            raise TypeError("this can't be traced")
        return forward(self, ids)

    monkeypatch.setattr(clip_towers._CausalText, "forward", refusing)
    monkeypatch.setitem(choice._NEEDS, "onnx", ("no_such_module",))
    model = loaded(places["vit"], None)
    assert model.runtime == f"image: openvino {native_precision()}, text: torch"
    assert "since openvino can't: TypeError: this can't be traced" in caplog.text
    cosines = (model.embed(ITEMS) * expected["vit"]).sum(axis=1)
    assert cosines.min() >= 0.999
    with pytest.raises(Untranslatable, match=r"and openvino can't: TypeError: this can't be"):
        loaded(places["vit"], None, Placement(runtime="openvino"))
