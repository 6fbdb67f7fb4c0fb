"""A fake model that counts what it embeds, and may be held up after so many items."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.media import Modality
from tests.fakes import FakeEmbedder
from tests.samples import audio_bytes, image_bytes, photo, picture, tone

HOLD_SECONDS = 20.0
"""So that a test that fails ends all the same."""


class CountingEmbedder(FakeEmbedder):
    """Counts the items of its forward passes.

    Args:
        free: So many are embedded at once; others wait until `gate` is set.
        name: As of `FakeEmbedder`.
    """

    def __init__(self, free: int | None = None, name: str = "fake") -> None:
        super().__init__(name=name)
        self.items = 0
        self.gate = threading.Event()
        self.is_held = threading.Event()
        self._free = free

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        self.items += len(arrays)
        if self._free is not None and self.items > self._free:
            self.is_held.set()
            self.gate.wait(HOLD_SECONDS)
        return super()._encode(modality, arrays)


def write_gallery(folder: Path) -> Path:
    """Writes two pictures, a sound, words, what is broken and what is no media."""
    (folder / "deep").mkdir(parents=True)
    (folder / "photo.png").write_bytes(image_bytes(photo()))
    (folder / "deep" / "red.png").write_bytes(image_bytes(picture("red")))
    (folder / "deep" / "loud.wav").write_bytes(audio_bytes(tone(loudness=0.9)))
    (folder / "words.txt").write_text("a red apple", encoding="utf-8")
    (folder / "broken.png").write_bytes(image_bytes(photo(seed=3))[:80])
    (folder / "data.csv").write_text("1,2,3", encoding="utf-8")
    return folder


def write_words(folder: Path, count: int) -> Path:
    """Writes so many files of one word each, none like another."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:04}.txt").write_text(f"word{number}", encoding="utf-8")
    return folder
