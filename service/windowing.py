"""Sounds and films window by window, through the queue that everything goes through."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from embedder.errors import MediaError
from embedder.media import Media
from embedder.windows import WHOLE, Window, Windowing, WindowVectors, cuts
from service.batching import Encoded, Outcome, Work
from service.intake import Decode, has_duration
from service.messages import Content, MediaContent

AT_ONCE = 16
"""Windows of one item in the queue together: enough for a full batch, and little memory."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Windowed(Encoded):
    """A vector, and those of the windows of what it stands for; at least one."""

    windows: WindowVectors


class Windower:
    """Embeds what was embedded as a whole once more, window by window.

    Args:
        how: Cuts it.
        decode: Decodes it anew; that takes little beside the forward passes, and nobody holds what
            others wait for.
        embed: Puts work in the queue of a model.
    """

    def __init__(
        self,
        how: Windowing,
        decode: Decode,
        embed: Callable[[Sequence[Work]], Awaitable[list[Outcome]]],
    ) -> None:
        self._how = how
        self._decode = decode
        self._embed = embed

    async def windowed(self, content: Content, whole: Outcome) -> Outcome:
        """Returns the outcome with windows: one, the whole, of what is short or has no duration.

        A window that fails costs its item.

        Raises:
            Overloaded: If the queue has no room.
            DeadlineExceeded: If it is not done in time.
        """
        if isinstance(whole, BaseException):
            return whole
        if not isinstance(content, MediaContent) or not has_duration(content):
            return _with(whole, [WHOLE], [whole])
        try:
            parts = await asyncio.to_thread(self._cut, content)
        except MediaError as error:
            return error
        windows = [window for window, _ in parts]
        if len(parts) == 1:
            return _with(whole, windows, [whole])
        found: list[Encoded] = []
        for start in range(0, len(parts), AT_ONCE):
            work = [_work(part) for _, part in parts[start : start + AT_ONCE]]
            for outcome in await self._embed(work):
                if isinstance(outcome, BaseException):
                    return outcome
                found.append(outcome)
        return _with(whole, windows, found)

    def _cut(self, content: MediaContent) -> list[tuple[Window, Media]]:
        return cuts(self._decode(content.modality, content.data), self._how)


def _work(part: Media) -> Work:
    return Work(lambda: part)


def _with(whole: Encoded, windows: Sequence[Window], found: Sequence[Encoded]) -> Windowed:
    known = {each.name: getattr(whole, each.name) for each in fields(Encoded)}
    known["cost"] += sum(each.cost for each in found if each is not whole)
    vectors = WindowVectors(tuple(windows), np.stack([each.vector for each in found]))
    return Windowed(**known, windows=vectors)
