"""Which texts are cut where their vectors are read, family by family, against open_clip's own."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embedder.media import Modality
from embedder.models.clip_digest import graph_digest
from embedder.models.clip_towers import last_read, tower
from embedder.models.open_clip_import import import_open_clip
from tests.embedder.open_clip_folders import CONVNEXT, SIGLIP, VIT

open_clip = import_open_clip()

CONTEXT, WORDS, END = 24, 99, 98
TEXT = {"context_length": CONTEXT, "vocab_size": WORDS, "width": 64, "heads": 2, "layers": 2}
COCA = {
    "embed_dim": 48,
    "vision_cfg": {**VIT["vision_cfg"], "attentional_pool": True, "output_tokens": True},
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "mlp_ratio": 4, "dim_head": 32, "n_queries": 8},
    "custom_text": True,
}


def of_text(*, custom: bool = False, **text: object) -> dict[str, Any]:
    """Returns a model's configuration by what is particular of its tower of words."""
    return {**VIT, "custom_text": custom, "text_cfg": {**TEXT, **text}}


CUT = {
    "CLIP": of_text(),
    "CLIP with a ConvNeXt": {**CONVNEXT, "text_cfg": TEXT},
    "CLIP read at a stated end mark": of_text(pool_type="eos", eos_id=END),
    "CLIP with quick GELU": {**of_text(), "quick_gelu": True},
    "a text transformer": of_text(custom=True),
    "a text transformer with a biased projection": of_text(custom=True, proj_bias=True),
    "a text transformer with scaled attention": of_text(custom=True, scale_heads=True),
}
WHOLE = {
    "SigLIP": {**SIGLIP, "text_cfg": {**TEXT, "no_causal_mask": True, "pool_type": "last"}},
    "CLIPA": of_text(no_causal_mask=True, pool_type="last"),
    "MobileCLIP": of_text(custom=True, no_causal_mask=True),
    "CLIP read at its last place": of_text(pool_type="last"),
    "CLIP whose end mark pads": of_text(pool_type="eos", eos_id=0),
    "CoCa": COCA,
}


def built(config: dict[str, Any], folder: Path) -> Any:  # noqa: ANN401 - open_clip has no types
    """Builds a model with random weights, as open_clip does."""
    folder.mkdir()
    file = folder / "open_clip_config.json"
    file.write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = open_clip.create_model(f"local-dir:{folder}")
    return network.eval().requires_grad_(False)


def padded(*lengths: int) -> np.ndarray:
    """Returns ids of texts of some lengths, each with its end mark, and zeros up to the context."""
    rng = np.random.default_rng(3)
    ids = np.zeros((len(lengths), CONTEXT), dtype=np.int64)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = rng.integers(0, END, length)  # zero may be a word
        row[length - 1] = END
    return ids


@pytest.mark.parametrize("family", CUT)
def test_a_text_cut_at_its_end_mark_has_the_same_vector(family: str, tmp_path: Path) -> None:
    network, whole = built(CUT[family], tmp_path / "model"), padded(2, 3, 9, 17, CONTEXT)
    end = last_read(network)
    assert end
    lengths = [end(ids) + 1 for ids in whole]
    assert lengths == [2, 3, 9, 17, CONTEXT]
    with torch.inference_mode():
        expected = network.encode_text(torch.from_numpy(whole))
        words = tower(network, Modality.TEXT).eval()
        alone = [words(torch.from_numpy(whole[i : i + 1, :n])) for i, n in enumerate(lengths)]
        beside = words(torch.from_numpy(whole[:3, :12]))
    unit = expected.norm(dim=1, keepdim=True)
    assert ((torch.cat(alone) - expected) / unit).abs().max() < 1e-6
    assert ((beside - expected[:3]) / unit[:3]).abs().max() < 1e-6


@pytest.mark.parametrize("family", WHOLE)
def test_what_reads_more_is_never_cut(family: str, tmp_path: Path) -> None:
    network, whole = built(WHOLE[family], tmp_path / "model"), padded(2, 9, CONTEXT)
    assert last_read(network) is None
    with torch.inference_mode():
        expected = network.encode_text(torch.from_numpy(whole))
        found = tower(network, Modality.TEXT).eval()(torch.from_numpy(whole))
    assert torch.equal(found, expected)


def test_a_text_without_its_end_mark_is_read_where_open_clip_reads_it(tmp_path: Path) -> None:
    network = built(CUT["CLIP read at a stated end mark"], tmp_path / "model")
    ids = np.arange(1, CONTEXT + 1)[None]
    end = last_read(network)
    assert end
    assert end(ids[0]) == 0
    with torch.inference_mode():
        expected = network.encode_text(torch.from_numpy(ids))
        found = tower(network, Modality.TEXT).eval()(torch.from_numpy(ids[:, :1]))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_a_model_of_another_library_is_taken_as_it_is() -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual, self.words = torch.nn.Linear(3, 2), torch.nn.Embedding(9, 2)

        def encode_image(self, batch: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.visual(batch))

        def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.words(ids).mean(dim=1))

    network = Own().eval()
    ids, pixels = torch.tensor([[1, 2, 0]]), torch.ones(1, 3)
    assert last_read(network) is None
    assert torch.equal(tower(network, Modality.TEXT)(ids), network.encode_text(ids))
    assert torch.equal(tower(network, Modality.IMAGE)(pixels), network.encode_image(pixels))


@pytest.mark.parametrize("family", ["CLIP", "SigLIP", "CoCa"])
def test_towers_of_one_network_do_not_change_each_other(family: str, tmp_path: Path) -> None:
    network = built({**CUT, **WHOLE}[family], tmp_path / "model")
    size = network.visual.image_size if family != "SigLIP" else (224, 224)
    pixels = torch.rand(2, 3, *size)
    with torch.inference_mode():
        expected = network.encode_image(pixels)
        tower(network, Modality.TEXT).to(torch.bfloat16)
        assert torch.equal(tower(network, Modality.IMAGE)(pixels), expected)


def test_a_graph_s_digest_tells_apart_what_weights_do_not(tmp_path: Path) -> None:
    plain = built(CUT["CLIP"], tmp_path / "plain")
    quick = built(CUT["CLIP with quick GELU"], tmp_path / "quick")
    more_heads = copy.deepcopy(plain)
    more_heads.transformer.resblocks[0].attn.num_heads = 4
    ahead = copy.deepcopy(plain)
    ahead.attn_mask.zero_()
    digests = [graph_digest(each, "same") for each in (plain, quick, more_heads, ahead)]
    assert len(set(digests)) == 4
    again = built(CUT["CLIP"], tmp_path / "again")
    assert graph_digest(again, "same") == digests[0]
    assert graph_digest(again, "other") != digests[0]
