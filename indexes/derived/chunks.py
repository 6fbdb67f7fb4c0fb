"""The chunks of a partition: filled one after another, copied together when rows are removed."""

from collections.abc import Sequence

import numpy as np

from indexes.base import Chosen, Half, Keys
from indexes.derived.chunk import Chunk
from indexes.derived.part import Part

Chunks = Sequence[Part[Chunk]]
"""In the order of their keys."""

_SPARSE = 4
"""A chunk is copied together when more than a part in so many of its rows is dead."""


def extended(chunks: Chunks, keys: Keys, rows: Half, capacity: int) -> list[Part[Chunk]]:
    """Returns chunks with more rows behind: the last one is filled up, others follow."""
    result = list(chunks)
    room = max(capacity - len(result[-1].held.keys), 0) if result else 0
    if room and len(keys):
        result[-1] = _grown(result[-1], keys[:room], rows[:room], capacity)
    for start in range(room, len(keys), capacity):
        some = slice(start, start + capacity)
        result.append(Part.of(Chunk.of(keys[some], rows[some])))
    return result


def reduced(chunks: Chunks, keys: Keys, capacity: int) -> list[Part[Chunk]]:
    """Returns chunks without these keys; sparse ones are made dense, small ones joined."""
    result: list[Part[Chunk]] = []
    for part in (chunk.without(keys) for chunk in chunks):
        before = result[-1] if result else None
        if part.dead * _SPARSE <= len(part.held.keys):
            result.append(part)
        elif before and before.live.count + part.live.count <= capacity:
            result[-1] = _dense(before, part)
        elif part.live.count:
            result.append(_dense(part))
    return result


def since(chunks: Chunks, key: int) -> list[Part[Chunk]]:
    """Returns the live rows with larger keys than this; chunks that hold older ones are copied."""
    kept = []
    for part in chunks:
        if part.held.keys[0] > key:
            kept.append(part)
        elif part.held.keys[-1] > key:
            newer = part.without(part.held.keys[part.held.keys <= key])
            kept += [_dense(newer)] if newer.live.count else []
    return kept


def _grown(part: Part[Chunk], keys: Keys, rows: Half, capacity: int) -> Part[Chunk]:
    held = part.held.grown(keys, rows, capacity)
    if not part.dead:
        return Part.of(held)
    mask = np.ones(len(held.keys), dtype=np.bool_)
    mask[: len(part.held.keys)] = np.unpackbits(
        part.live.bits, count=len(part.held.keys), bitorder="little"
    )
    return Part(held, Chosen(np.packbits(mask, bitorder="little"), part.live.count + len(keys)))


def _dense(*parts: Part[Chunk]) -> Part[Chunk]:
    """Returns one chunk of the live rows of these."""
    keys = np.concatenate([part.keys() for part in parts])
    return Part.of(Chunk.of(keys, np.concatenate([part.rows() for part in parts])))
