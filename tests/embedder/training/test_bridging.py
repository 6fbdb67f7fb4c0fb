from pathlib import Path

import numpy as np

from embedder.conditioning.bridge_file import load_bridges
from embedder.media import Modality
from embedder.training.bridge_pairs import bridge_pairs, embed_training
from embedder.training.bridging import make_bridges
from embedder.training.loop import LoopRecipe
from embedder.training.prior_recipe import PriorRecipe
from embedder.training.shards import ShardItem, read_items
from tests.embedder.test_evaluate import keys, png, row, write
from tests.fakes import FakeEmbedder
from tests.samples import audio_bytes, tone

RECIPE = PriorRecipe(
    pairs=64, coordinates=2, width=8, blocks=1, batch=8, loop=LoopRecipe(2, 1e-3, warmup=1)
)


def items(tmp_path: Path) -> list[ShardItem]:
    taught, held = keys("toys", 6, held_out=False), keys("toys", 2, held_out=True)
    rows = [
        row(k, dataset="toys", media=png(colour), captions=[colour])
        for k, colour in zip(taught, ["red", "green", "blue"] * 2, strict=True)
    ]
    rows += [row(k, dataset="toys", media=png("red"), captions=["a kite"]) for k in held]
    clip = {"modality": "audio", "dataset": "esc50", "media": audio_bytes(tone())}
    rows += [row(f"clip-{i}", fold=1, label="loud", captions=["loud"], **clip) for i in range(3)]
    write(tmp_path / "train", "train-000.parquet", rows)
    return read_items(tmp_path / "train")


def test_pairs_hold_what_belongs_together_and_nothing_held_out(tmp_path: Path) -> None:
    known = items(tmp_path)
    embedder = FakeEmbedder()
    embedded = embed_training(embedder, known, tmp_path / "vectors.npz")
    assert sorted(embedded.texts) == ["blue", "green", "loud", "red"]
    first = next(item.key for item in known if item.modality == "image")
    pairs = bridge_pairs(embedded, [("loud", first)], RECIPE)
    shown = dict(zip(embedded.texts, embedded.text_vectors, strict=True))
    by_caption = {
        item.captions[0]: vector
        for item, vector in zip(embedded.items, embedded.vectors, strict=True)
    }
    told = pairs[Modality.TEXT]
    for said, image in zip(told.conditions, told.images, strict=True):
        caption = next(text for text, vector in shown.items() if np.array_equal(vector, said))
        np.testing.assert_allclose(image, by_caption[caption], atol=1e-6)
    np.testing.assert_allclose(
        pairs[Modality.AUDIO].images, np.repeat(by_caption["red"][None], 64, axis=0), atol=1e-6
    )


def test_vectors_are_kept_and_made_anew_for_other_items(tmp_path: Path) -> None:
    known, cache = items(tmp_path), tmp_path / "vectors.npz"
    embed_training(FakeEmbedder(), known, cache)
    written = cache.stat().st_mtime_ns
    embed_training(FakeEmbedder(), known, cache)
    assert cache.stat().st_mtime_ns == written
    fewer = embed_training(FakeEmbedder(), known[1:], cache)
    assert len(fewer.vectors) == len(fewer.items)


def test_the_stage_writes_bridges_of_the_models_space(tmp_path: Path) -> None:
    known, embedder = items(tmp_path), FakeEmbedder()
    path = tmp_path / "out" / "toy.bridges.safetensors"
    first = next(item.key for item in known if item.modality == "image")
    make_bridges(embedder, known, [("loud", first)], path, RECIPE)
    written = path.read_bytes()
    make_bridges(embedder, known, [("loud", first)], path, RECIPE)
    assert path.read_bytes() == written
    bridges = load_bridges(embedder.space, path)
    assert bridges.fitted.prior is not None
    assert bridges.fitted.prior.modalities == {Modality.TEXT, Modality.AUDIO}
