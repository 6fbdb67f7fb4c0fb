"""kindred-mini: the contract, what its header says, and weights that must be refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from embedder import catalog
from embedder.base import Background, Embedder
from embedder.errors import WeightsError
from embedder.media import Modality, Text
from embedder.models.mini import WEIGHTS, KindredMini
from embedder.runtime.base import Placement
from tests.embedder.contract import ALL_SAMPLES, EmbedderContract
from tests.embedder.random_weights import DIM, write_random_weights
from tests.samples import tone

TORCH = Placement(threads=1, runtime="torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def random_mini(weights: Path) -> KindredMini:
    return KindredMini.load(weights, TORCH)


class TestRandomWeights(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, random_mini: KindredMini) -> Embedder:
        return random_mini


@pytest.fixture(scope="module")
def bundled(graphs: Path) -> Embedder:
    return catalog.load("kindred-mini", Placement(threads=1, cache=graphs))


@pytest.mark.weights
class TestBundledWeights(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, bundled: Embedder) -> Embedder:
        return bundled

    def test_the_catalogue_tells_the_truth(self, bundled: Embedder) -> None:
        spec = catalog.find("kindred-mini")
        parameters = sum(tensor.numel() for tensor in load_file(WEIGHTS).values())
        assert set(spec.modalities) == bundled.modalities
        assert spec.dim == bundled.space.dim
        assert spec.parameters == pytest.approx(parameters, rel=0.02)

    def test_the_file_keeps_its_budget(self, bundled: Embedder) -> None:
        assert WEIGHTS.stat().st_size <= 32 * 1024 * 1024

    def test_every_pair_of_modalities_has_a_background(self, bundled: Embedder) -> None:
        assert set(bundled.backgrounds) == {(a, b) for a in Modality for b in Modality}
        assert all(spread.std > 0 for spread in bundled.backgrounds.values())


def test_the_header_is_exposed_by_name(random_mini: KindredMini) -> None:
    assert random_mini.logit_scale == 20
    assert random_mini.backgrounds[Modality.TEXT, Modality.IMAGE] == Background(0.1, 0.05)
    assert random_mini.means[Modality.AUDIO] == (0.0,) * DIM
    assert random_mini.limits["text_tokens"] == 32
    assert (random_mini.runtime, random_mini.device) == ("torch", "cpu")


def test_the_space_is_the_content_of_the_weights(weights: Path, tmp_path: Path) -> None:
    same = KindredMini.load(weights, TORCH).space
    assert same == KindredMini.load(weights, TORCH).space
    other = rewritten(weights, tmp_path, tensors=lambda t: t["text.ln_final.bias"].add_(1))
    assert KindredMini.load(other, TORCH).space.id != same.id


def test_padding_changes_no_text(random_mini: KindredMini) -> None:
    short, long = Text("a dog"), Text("a dog barks at the sea in the rain at night " * 9)
    np.testing.assert_allclose(
        random_mini.embed([short, long])[0], random_mini.embed([short])[0], atol=1e-5
    )


def test_windows_weigh_the_same(random_mini: KindredMini) -> None:
    """A sound of two windows is the middle of its halves."""
    whole = tone(440, 0.5, 20)
    first, second = tone(440, 0.5, 10), tone(440, 0.5, 10)
    vectors = random_mini.embed([first, second, whole])
    middle = (vectors[0] + vectors[1]) / np.linalg.norm(vectors[0] + vectors[1])
    assert vectors[2] @ middle > 0.999


def test_loading_leaves_the_caller_s_random_numbers_alone(weights: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    KindredMini.load(weights, TORCH)
    assert torch.equal(torch.rand(3), expected)


def rewritten(
    path: Path,
    folder: Path,
    *,
    config: Callable[[dict[str, Any]], object] | None = None,
    tensors: Callable[[dict[str, torch.Tensor]], object] | None = None,
) -> Path:
    """Writes a changed copy of the weights, with their tokenizer beside them."""
    state = load_file(path)
    with safe_open(path, framework="pt") as archive:
        header = json.loads(archive.metadata()["config"])
    if config:
        config(header)
    if tensors:
        tensors(state)
    copy = folder / "copy.safetensors"
    save_file(state, copy, {"config": json.dumps(header)})
    tokenizer = path.with_suffix(".tokenizer.json").read_bytes()
    copy.with_suffix(".tokenizer.json").write_bytes(tokenizer)
    return copy


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (lambda c: c.update(format=99), "format of the weights must be 1, got 99"),
        (lambda c: c.update(preprocessing=0), "preprocessing of the weights must be 1, got 0"),
        (lambda c: c.update(dim=512), r"dim of every tower must be 512, got \[384, 384, 384\]"),
        (lambda c: c.pop("logit_scale"), "must hold every field.*logit_scale"),
        (lambda c: c.pop("text"), "must hold every field.*text"),
        (lambda c: c["background"].update(smell=1), "must hold every field"),
        (lambda c: c["text"].update(vocabulary=299), "must have the 299 entries .* got 300"),
        (lambda c: c["text"].update(layers=5), "text weights must fit"),
        (lambda c: c["text"].update(colour=5), "text weights must fit"),
        (
            lambda c: c["audio"]["widths"].append(c["audio"]["widths"].pop() // 2),
            "audio weights must fit",
        ),
        (lambda c: c.update(tokenizer="0" * 64), "tokenizer must be that of the weights"),
    ],
)
def test_a_header_that_does_not_fit(
    weights: Path, tmp_path: Path, config: Callable[[dict[str, Any]], object], words: str
) -> None:
    with pytest.raises(WeightsError, match=words):
        KindredMini.load(rewritten(weights, tmp_path, config=config), TORCH)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (lambda t: t.pop("text.ln_final.bias"), "text weights must fit"),
        (lambda t: t.update({"image.more": torch.ones(1)}), "image weights must fit"),
        (
            lambda t: t["audio.head.bias"].fill_(torch.nan),
            "must be finite, not so: audio.head.bias",
        ),
    ],
)
def test_tensors_that_do_not_fit(
    weights: Path,
    tmp_path: Path,
    tensors: Callable[[dict[str, torch.Tensor]], object],
    words: str,
) -> None:
    with pytest.raises(WeightsError, match=words):
        KindredMini.load(rewritten(weights, tmp_path, tensors=tensors), TORCH)


def test_files_that_are_no_weights(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="must be a file"):
        KindredMini.load(tmp_path / "missing.safetensors")
    for content in (b"", b"not safetensors at all", weights.read_bytes()[:-5], os.urandom(100)):
        damaged = tmp_path / "damaged.safetensors"
        damaged.write_bytes(content)
        with pytest.raises(WeightsError, match="must be a safetensors file"):
            KindredMini.load(damaged)
    nameless = tmp_path / "nameless.safetensors"
    save_file({"a": torch.ones(1)}, nameless)
    with pytest.raises(WeightsError, match="format of the weights must be 1, got None"):
        KindredMini.load(nameless)
    save_file({"a": torch.ones(1)}, nameless, {"config": "[]"})
    with pytest.raises(WeightsError, match="must hold every field"):
        KindredMini.load(nameless)


def test_a_tokenizer_that_is_missing(weights: Path, tmp_path: Path) -> None:
    copy = rewritten(weights, tmp_path)
    copy.with_suffix(".tokenizer.json").unlink()
    with pytest.raises(WeightsError, match="no such file"):
        KindredMini.load(copy)


def test_random_weights_tell_inputs_apart(random_mini: KindredMini) -> None:
    """Else the contract above would prove nothing."""
    vectors = random_mini.embed(ALL_SAMPLES)
    assert np.linalg.matrix_rank(vectors, tol=1e-3) == len(ALL_SAMPLES)
