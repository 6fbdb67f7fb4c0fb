"""ImageBind's networks against an oracle in float64, and its checkpoint's names."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from embedder.base import Embedder
from embedder.errors import WeightsError
from embedder.media import Audio, Media, Text
from embedder.models.imagebind.model import ImageBind
from embedder.models.imagebind.shape import HUGE
from embedder.models.imagebind.tower import Towers
from embedder.models.imagebind.weights import load_towers
from embedder.runtime.base import Placement
from tests.embedder.contract import EmbedderContract
from tests.embedder.imagebind_oracle import Oracle, Rules
from tests.embedder.imagebind_weights import TEXT_SCALE, reduced, seeded_state, write_checkpoint
from tests.samples import photo, tone

PARITY = 1e-5
"""Largest difference allowed, as a share of the reference's largest number."""

SHAPE = reduced()
INPUTS: Mapping[str, tuple[int, ...]] = {
    "vision": (2, 3, 224, 224),
    "audio": (2, 1, 128, 204),
    "depth": (2, 1, 224, 224),
    "thermal": (2, 1, 224, 224),
    "imu": (2, 6, 2000),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("imagebind") / "w.pth", seeded_state(SHAPE))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> ImageBind:
    return ImageBind.load(checkpoint, shape=SHAPE)


@pytest.fixture(scope="module")
def state() -> dict[str, NDArray[np.float32]]:
    return {name: tensor.numpy() for name, tensor in seeded_state(SHAPE).items()}


class TestContract(EmbedderContract):
    windows = dict.fromkeys((0.01, 5, 25), 3)  # always a beginning, a middle and an end

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, model: ImageBind) -> Embedder:
        return model


def inputs(sense: str, *, clips: int = 0) -> NDArray[np.float32]:
    shape = INPUTS[sense]
    shape = (shape[0], clips, *shape[1:]) if clips else shape
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def ids() -> NDArray[np.int64]:
    rows = np.random.default_rng(8).integers(1, 49_000, (2, 77))
    rows[:, 0] = 49_406
    for row, end in zip(rows, (9, 76), strict=True):
        row[end] = 49_407
        row[end + 1 :] = 0
    return rows


def distance(found: NDArray[np.float32], reference: NDArray[np.float64]) -> float:
    return float(np.abs(found - reference).max() / np.abs(reference).max())


@pytest.mark.parametrize("sense", INPUTS)
def test_each_sense_equals_the_formulas(
    model: ImageBind, state: dict[str, NDArray[np.float32]], sense: str
) -> None:
    oracle = Oracle(state, sense, SHAPE.senses[sense])
    x = inputs(sense)
    assert distance(model.raw_tensors(sense, x), oracle.raw(x.astype(np.float64))) <= PARITY


def test_text_equals_the_formulas(model: ImageBind, state: dict[str, NDArray[np.float32]]) -> None:
    oracle = Oracle(state, "text", SHAPE.senses["text"])
    found = model.raw_tensors("text", ids())  # type: ignore[arg-type]
    assert distance(found, oracle.raw(ids().astype(np.float64))) <= PARITY


def test_clips_are_made_unit_and_scaled_before_their_mean(
    model: ImageBind, state: dict[str, NDArray[np.float32]]
) -> None:
    oracle = Oracle(state, "audio", SHAPE.senses["audio"])
    x = inputs("audio", clips=3)
    found = model.raw_tensors("audio", x)
    assert distance(found, oracle.raw(x.astype(np.float64))) <= PARITY
    assert np.linalg.norm(found, axis=1).max() < 20


def test_half_precision_is_nearly_the_same_in_the_same_space(
    model: ImageBind, checkpoint: Path
) -> None:
    half = ImageBind.load(checkpoint, Placement(precision="bf16"), SHAPE)
    items: list[Media] = [Text("a dog"), photo(1), tone(440)]
    cosines = (model.embed(items) * half.embed(items)).sum(axis=1)
    assert (half.precision, half.space) == ("bf16", model.space)
    assert 0.998 < cosines.min() < 1 - 1e-7


def test_a_film_equals_the_formulas(
    model: ImageBind, state: dict[str, NDArray[np.float32]]
) -> None:
    oracle = Oracle(state, "vision", SHAPE.senses["vision"])
    x = np.random.default_rng(9).normal(size=(1, 2, 3, 2, 224, 224)).astype(np.float32)
    assert distance(model.raw_tensors("vision", x), oracle.raw(x.astype(np.float64))) <= PARITY


@pytest.mark.parametrize(
    ("sense", "trap", "clips"),
    [
        ("audio", Rules(extra_key=False), 0),
        ("audio", Rules(exact_gelu=False), 0),
        ("audio", Rules(stem_eps=1e-6), 0),
        ("audio", Rules(norm_eps=1e-5), 0),
        ("vision", Rules(norm_eps=1e-5), 0),
        ("audio", Rules(patches_row_major=False), 0),
        ("audio", Rules(unit_before_mean=False), 3),
        ("audio", Rules(mean_made_unit=True), 3),
        ("text", Rules(most_scale=1e9), 0),
    ],
    ids=str,
)
def test_each_trap_would_show(
    model: ImageBind, state: dict[str, NDArray[np.float32]], sense: str, trap: Rules, clips: int
) -> None:
    x = ids() if sense == "text" else inputs(sense, clips=clips)
    sprung = Oracle(state, sense, SHAPE.senses[sense], trap).raw(x.astype(np.float64))
    found = model.raw_tensors(sense, x)  # type: ignore[arg-type]
    assert distance(found, sprung) > PARITY


def test_scales_are_read_from_the_checkpoint_and_the_texts_is_capped(model: ImageBind) -> None:
    assert np.exp(TEXT_SCALE) > 100
    norms = {"text": 100.0, "audio": 20.0, "depth": 5.0, "thermal": 10.0, "imu": 5.0, "vision": 1.0}
    for sense, norm in norms.items():
        x = ids() if sense == "text" else inputs(sense)
        found = np.linalg.norm(model.raw_tensors(sense, x), axis=1)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, norm, rtol=1e-5)


def test_the_raw_output_keeps_what_embed_makes_unit(model: ImageBind) -> None:
    noise = np.random.default_rng(1).normal(scale=0.1, size=(1, 9 * 16_000)).astype(np.float32)
    items: list[Media] = [
        Text("a dog"),
        photo(1),
        Audio(noise * np.linspace(0, 1, noise.size, dtype=np.float32), 16_000),
    ]
    raw, vectors = model.raw(items), model.embed(items)
    norms = np.linalg.norm(raw, axis=1)
    assert norms[0] == pytest.approx(100, rel=1e-5)
    assert norms[1] == pytest.approx(1, rel=1e-5)
    assert norms[2] < 20
    np.testing.assert_allclose(raw / norms[:, None], vectors, atol=1e-6)


def test_a_batch_of_texts_may_be_as_short_as_its_longest(model: ImageBind) -> None:
    whole = ids()[:1]
    np.testing.assert_allclose(
        model.raw_tensors("text", whole[:, :10]),  # type: ignore[arg-type]
        model.raw_tensors("text", whole),  # type: ignore[arg-type]
        rtol=1e-5,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("sense", "shape"),
    [
        ("vision", (1, 3, 112, 448)),  # as many patches as there are positions
        ("vision", (1, 3, 2, 224, 224)),  # a film without its clip axis
        ("audio", (1, 1, 128, 198)),
        ("imu", (1, 6, 2008)),
        ("depth", (1, 3, 224, 224)),
    ],
)
def test_inputs_of_another_shape_are_refused(
    model: ImageBind, sense: str, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="must be of shape"):
        model.raw_tensors(sense, np.zeros(shape, np.float32))


def test_an_unknown_sense_is_refused(model: ImageBind) -> None:
    with pytest.raises(ValueError, match="got 'smell'"):
        model.raw_tensors("smell", np.zeros((1, 1), np.float32))


def test_larger_pictures_have_resized_positions(model: ImageBind) -> None:
    x = np.random.default_rng(3).normal(size=(1, 3, 252, 252)).astype(np.float32)
    assert model.unit_tensors("vision", x).shape == (1, SHAPE.dim)


def test_the_full_size_model_has_the_published_numbers() -> None:
    with torch.device("meta"):
        towers = Towers(HUGE)
    assert sum(parameter.numel() for parameter in towers.parameters()) == 1_200_781_057
    assert len(towers.state_dict()) == 1_311
    assert len(list(towers.parameters())) == 1_306


def test_a_checkpoint_of_the_older_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(seeded_state(SHAPE), path, _use_new_zipfile_serialization=False)
    assert isinstance(load_towers(path, SHAPE), Towers)


def test_an_error_names_what_is_unknown_missing_and_misshapen(tmp_path: Path) -> None:
    state = seeded_state(SHAPE)
    del state["modality_heads.audio.2.weight"]
    state["modality_heads.smell.2.weight"] = torch.zeros(1)
    state["modality_heads.vision.2.weight"] = torch.zeros(24, 31)
    path = write_checkpoint(tmp_path / "w.pth", state)
    with pytest.raises(WeightsError) as refused:
        load_towers(path, SHAPE)
    told = str(refused.value)
    assert "unknown: modality_heads.smell.2.weight" in told
    assert "missing: modality_heads.audio.2.weight" in told
    assert "modality_heads.vision.2.weight of shape (24, 31) instead of (24, 32)" in told


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 nor this"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.pth"):
        load_towers(path, SHAPE)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"evil": Path("x")}, path)
    with pytest.raises(WeightsError, match="checkpoint of tensors"):
        load_towers(path, SHAPE)


def test_other_weights_are_another_space(tmp_path: Path, model: ImageBind) -> None:
    state = seeded_state(SHAPE)
    state["modality_heads.audio.2.weight"] = state["modality_heads.audio.2.weight"] * 1.001
    other = ImageBind.load(write_checkpoint(tmp_path / "w.pth", state), shape=SHAPE)
    assert other.space.id != model.space.id


def test_the_published_names(model: ImageBind) -> None:
    """The names that the facts give for one block, so that a rename of ours shows."""
    names = set(json.loads(json.dumps(list(seeded_state(SHAPE)))))
    block = "modality_trunks.audio.blocks.1"
    assert {
        f"{block}.attn.in_proj_weight",
        f"{block}.attn.bias_k",
        f"{block}.mlp.fc1.weight",
        f"{block}.norm_2.bias",
        "modality_preprocessors.vision.rgbt_stem.proj.1.weight",
        "modality_preprocessors.depth.depth_stem.norm_layer.weight",
        "modality_preprocessors.imu.pos_embed",
        "modality_heads.imu.3.weight",
        "modality_heads.text.proj.1.weight",
        "modality_postprocessors.text.1.log_logit_scale",
        "modality_preprocessors.text.mask",
    } <= names


def test_a_reduced_shape_is_data() -> None:
    shape = replace(SHAPE, senses={"imu": SHAPE.senses["imu"]})
    assert set(Towers(shape).modality_trunks) == {"imu"}
