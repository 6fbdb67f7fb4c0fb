"""The fake is honest: it keeps the contract, and kin find each other across modalities."""

import numpy as np
import pytest

from embedder.base import Embedder
from embedder.errors import UnsupportedModality
from embedder.media import Modality, Text
from tests.embedder.contract import EmbedderContract
from tests.fakes import FakeEmbedder
from tests.samples import picture, tone


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Embedder:
        return FakeEmbedder()


@pytest.mark.parametrize(
    ("words", "nearest"),
    [("red", 0), ("green", 1), ("blue", 2), ("bright", 3), ("dark", 4), ("loud", 5), ("quiet", 6)],
)
def test_words_find_pictures_and_sounds(words: str, nearest: int) -> None:
    pictures = [picture(colour) for colour in ("red", "green", "blue", "bright", "dark")]
    sounds = [tone(loudness=0.9), tone(loudness=0.01)]
    embedder = FakeEmbedder()
    scores = embedder.embed([*pictures, *sounds]) @ embedder.embed([Text(words)])[0]
    assert np.argmax(scores) == nearest
    assert scores[nearest] > 0.9


def test_a_gap_parts_the_modalities() -> None:
    embedder = FakeEmbedder(gap=3)
    query, text, red = embedder.embed([Text("red"), Text("unrelated"), picture("red")])
    assert query @ text > query @ red


def test_a_model_without_a_tower_says_so() -> None:
    embedder = FakeEmbedder(modalities=frozenset({Modality.TEXT}))
    with pytest.raises(UnsupportedModality, match="model fake embeds text; got image"):
        embedder.embed([picture()])
