from pathlib import Path

import numpy as np
import pytest

from embedder.training.recipe import TextRecipe
from embedder.training.shards import ShardItem
from embedder.training.teachers.text import MiniLM, package_folder
from embedder.training.texts import TextBank, build_bank, dictionary, imagenet_names, text_targets

RECIPE = TextRecipe(runs=20, exchanges=20)


def item(key: str, label: str | None = None, *captions: str, fold: int | None = None) -> ShardItem:
    modality, dataset = ("audio", "esc50") if fold else ("image", "flickr8k")
    return ShardItem(
        key, modality, "jpg", dataset, label, captions, (), fold, "CC0", "open", Path("train/x"), 0
    )


@pytest.fixture
def teachers(tmp_path: Path) -> Path:
    (tmp_path / "imagenet_labels.txt").write_text("background\ntench, Tinca tinca\ngoldfish\n")
    (tmp_path / "yamnet_classes.txt").write_text("Speech\nChirp, tweet\n")
    return tmp_path


@pytest.fixture
def bank(teachers: Path) -> TextBank:
    items = [
        item("a", None, "a brown dog runs", "a dog in the wide grass"),
        item("b", "bell", fold=1),
        item("c", "siren", "a wailing siren", fold=4),
    ]
    return build_bank(items, teachers, RECIPE)


def test_the_bank_holds_each_text_once_and_says_what_it_is(bank: TextBank) -> None:
    kinds = dict(zip(bank.texts, bank.kinds, strict=True))
    assert len(kinds) == len(bank.texts)
    assert kinds["a brown dog runs"] == "caption"
    assert kinds["a wailing siren"] == "held_out_caption"
    assert kinds["the sound of bell"] == "label"
    assert kinds["a photo of a Tinca tinca"] == "name"
    assert kinds["the sound of tweet"] == "name"
    assert kinds["kitten"] == "word"
    assert "phrase" in bank.kinds


def test_labels_of_held_out_items_alone_stay_out(bank: TextBank) -> None:
    assert "{} in the background".format("siren") not in bank.texts
    assert "{} in the background".format("bell") in bank.texts


def test_the_bank_is_the_same_every_time(bank: TextBank, teachers: Path) -> None:
    assert build_bank([item("a", None, "x y z")], teachers, RECIPE).texts == (
        build_bank([item("a", None, "x y z")], teachers, RECIPE).texts
    )


def test_held_back_texts_are_those_with_a_held_back_word(bank: TextBank) -> None:
    held_back = dict(zip(bank.texts, bank.held_back(), strict=True))
    assert held_back["puppy"]
    assert held_back["a photo of a puppy"]
    assert not held_back["a brown dog runs"]
    words = [held_back[word] for word in dictionary()]
    assert 0.01 < np.mean(words) < 0.03


def test_synonyms_keep_the_order_of_the_classes(teachers: Path) -> None:
    assert imagenet_names(teachers) == [["tench", "Tinca tinca"], ["goldfish"]]


def test_targets_are_kept_until_the_texts_change(tmp_path: Path) -> None:
    path = tmp_path / "text.npz"
    first = text_targets(TextBank(("a dog", "a cat"), ("word", "word")), path)
    assert first.shape == (2, 384)
    written = path.stat().st_mtime_ns
    again = text_targets(TextBank(("a dog", "a cat"), ("word", "word")), path)
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first, again)
    other = text_targets(TextBank(("a cat", "a dog"), ("word", "word")), path)
    np.testing.assert_allclose(other[::-1].astype(np.float32), first, atol=2e-3)


def test_the_teacher_agrees_with_the_reference_implementation() -> None:
    import torch

    from embedder.models.open_clip_import import import_open_clip

    import_open_clip()  # transformers imports torchvision as well
    from transformers import BertModel, BertTokenizerFast

    texts = ["a puppy", "A photo of TWO dogs, running on the grass!", "the sound of rain"]
    folder = package_folder()
    tokens = BertTokenizerFast.from_pretrained(folder)(texts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        states = BertModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    expected = torch.nn.functional.normalize(means, dim=1).numpy()
    np.testing.assert_allclose(MiniLM().embed(texts), expected, atol=1e-5)
