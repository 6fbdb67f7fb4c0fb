"""CLIP's byte-pair tokenizer for texts from anywhere: marks that a text spells are plain words."""

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from embedder.models.open_clip_import import import_open_clip

import_open_clip()

from open_clip.tokenizer import SimpleTokenizer, basic_clean, whitespace_clean  # noqa: E402

CONTEXT = 77
BEGIN, END = 49_406, 49_407

_WORDS = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)
"""CLIP's pattern (arXiv:2103.00020) without the two marks: inside a text, an end mark would move
the token that the tower reads."""


_MAX_CHARACTERS = 20_000
"""Of a text, what is read to find the tokens that fit."""

_MAX_LETTERS = 500
"""Of a word: the time that its pairs take grows with the square of its length."""

_REMEMBERED = 50_000
"""Words whose pairs are kept; the tokenizer itself would keep every word that was ever sent."""


class ClipTokenizer:
    """Turns a text into int64 ids between a begin and an end mark, at most `CONTEXT` of them."""

    def __init__(self) -> None:
        self._pairs = SimpleTokenizer()

    def encode(self, text: str) -> tuple[NDArray[np.int64], bool]:
        """Returns the ids, shape (tokens,), and whether the text was cut to fit."""
        clean = whitespace_clean(basic_clean(text[:_MAX_CHARACTERS])).lower()
        ids = [number for word in _WORDS.findall(clean) for number in self._ids(word)]
        room = CONTEXT - 2
        cut = len(ids) > room or len(text) > _MAX_CHARACTERS
        return np.array([BEGIN, *ids[:room], END], dtype=np.int64), cut

    def _ids(self, word: str) -> list[int]:
        if len(self._pairs.cache) > _REMEMBERED:
            self._pairs.cache = {}
        word = word[:_MAX_LETTERS]
        letters = "".join(self._pairs.byte_encoder[byte] for byte in word.encode())
        return [self._pairs.encoder[pair] for pair in self._pairs.bpe(letters).split(" ")]
