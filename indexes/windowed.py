"""Items and the windows that are kept beside them, together again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from indexes.item import Item
from indexes.windows import Windows

_ASKED_AT_ONCE = 100
"""Items. An hour of sound has windows of 700 kB."""

_BYTES_AT_ONCE = 32 * 2**20


class Source(Protocol):
    """What is asked here of a collection."""

    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """See `indexes.collection.Collection.windows`."""


def with_windows(source: Source, items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yields items, in their order, with their windows: as many at a time as memory likes."""
    some: list[Item] = []
    size = 0
    for start in range(0, len(items), _ASKED_AT_ONCE):
        asked = items[start : start + _ASKED_AT_ONCE]
        known = source.windows([item.id for item in asked])
        for item in asked:
            some.append(replace(item, windows=known[item.id]) if item.id in known else item)
        size += sum(windows.vectors.nbytes for windows in known.values())
        if size > _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some
