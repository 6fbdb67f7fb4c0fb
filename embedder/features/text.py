"""Text to token ids, without torch.

A text is lower-cased, loses its accents and is split into byte pairs of a vocabulary of our own, so
that any text of any script has ids. Id 0 pads; the vocabulary's last is the end mark.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedder.errors import WeightsError

PAD, BEGIN, END = "<pad>", "<begin>", "<end>"


class TextTokenizer:
    """Turns a text into int64 ids between a begin and an end mark, at most `context` of them.

    Raises:
        WeightsError: If the vocabulary lacks a mark, or has the end mark anywhere but at its end.
    """

    def __init__(self, tokenizer: Tokenizer, context: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # A text that spells a mark is text like any other.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.context = context
        self.vocabulary: int = tokenizer.get_vocab_size()
        self._begin = tokenizer.token_to_id(BEGIN)
        self._end = tokenizer.token_to_id(END)
        if self._begin is None or self._end != self.vocabulary - 1:
            raise WeightsError(f"the tokenizer must hold {BEGIN}, and {END} as its last entry")

    @classmethod
    def load(cls, path: Path, context: int) -> "TextTokenizer":
        """Reads a tokenizer file as the `tokenizers` library writes it.

        Raises:
            WeightsError: If the file is missing or is not a tokenizer of ours.
        """
        if not path.is_file():
            raise WeightsError(f"the tokenizer must be a file, got {path}")
        return cls(Tokenizer.from_file(str(path)), context)

    def encode(self, text: str) -> tuple[NDArray[np.int64], bool]:
        """Returns the ids, shape (tokens,), and whether the text was cut to fit the context."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        room = self.context - 2
        marked = [self._begin, *ids[:room], self._end]
        return np.array(marked, dtype=np.int64), len(ids) > room
