"""A tokenizer of open_clip's, made fit for texts from anywhere."""

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_CHARACTERS = 20_000
"""Of a text, what is read to find the tokens that fit."""

_LONG_WORD = re.compile(r"(\S{500})\S+")
"""The time that a word's pairs take grows with the square of its length."""

_MARK = re.compile(r"<(start_of_text|end_of_text)>")
"""A mark that a text spells would move the token that the tower reads."""

_REMEMBERED = 50_000
"""Words whose pairs are kept; the tokenizer itself would keep every word that was ever sent."""


class ClipTokens:
    """Turns a text into the ids that a tower reads, (tokens,); with padding where that is read.

    Args:
        tokenize: open_clip's tokenizer of the model.
        last_read: Finds the last id that is read; None where all `context` of them are.
    """

    def __init__(
        self,
        tokenize: Any,  # noqa: ANN401 - open_clip has no types
        last_read: Callable[[NDArray[np.int64]], int] | None = None,
    ) -> None:
        self._tokenize, self._last_read = tokenize, last_read
        self._lock = threading.Lock()
        self.context = self._ids("context").size
        self._padding = int(self._ids("a", 2 * self.context)[-1])

    @property
    def are_cut(self) -> bool:
        """Whether ids end with the last one that is read, so that texts differ in length."""
        return self._last_read is not None

    def encode(self, text: str) -> tuple[NDArray[np.int64], bool]:
        """Returns the ids, and whether the text was cut to fit."""
        begun = _LONG_WORD.sub(r"\1", _MARK.sub(r"< \1 >", text[:_MAX_CHARACTERS]))
        ids = self._ids(begun)
        cut = len(text) > _MAX_CHARACTERS
        if not cut and np.any(ids[-2:] != self._padding):  # an end mark may look like padding
            beyond = self._ids(begun, 2 * self.context)[self.context :]
            cut = bool(np.any(beyond != self._padding))
        return ids[: self._last_read(ids) + 1] if self._last_read else ids, cut

    def _ids(self, text: str, context: int | None = None) -> NDArray[np.int64]:
        with self._lock:  # open_clip's tokenizers keep what they have met
            known = getattr(self._tokenize, "cache", {})
            if len(known) > _REMEMBERED:
                known.clear()
            ids = self._tokenize([text], context_length=context)[0].numpy()
        return np.asarray(ids, dtype=np.int64)
