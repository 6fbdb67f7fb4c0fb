"""Part: a chunk or a segment, and which of its rows live."""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed, Chosen, Half, Keys, Sealed
from indexes.derived.scan import positions

H = TypeVar("H", bound=Sealed)


@dataclass(frozen=True, slots=True, eq=False)
class Part(Generic[H]):
    """Rows that never change, and which of them live; a value.

    Attributes:
        held: The rows.
        live: Those that were not removed.
    """

    held: H
    live: Chosen

    @classmethod
    def of(cls, held: H) -> Self:
        """Returns all of its rows."""
        return cls(held, all_of(len(held.keys)))

    @property
    def dead(self) -> int:
        """How many rows were removed."""
        return len(self.held.keys) - self.live.count

    def without(self, keys: Keys) -> Self:
        """Returns the part without these keys; unknown ones are ignored."""
        places, known = self.find(keys)
        gone = places[known]
        if not gone.size:
            return self
        bits = self.live.bits.copy()
        np.bitwise_and.at(bits, gone >> 3, ~_bit(gone))
        return type(self)(self.held, Chosen(bits, self.live.count - len(gone)))

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Returns the positions of keys, shape (n,), and which of those are right: they live."""
        own = self.held.keys
        places = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        alive = (self.live.bits[places >> 3] & _bit(places)) != 0
        return places, (own[places] == keys) & alive

    def chosen(self, allowed: Allowed | None) -> Chosen | None:
        """Returns the living rows that are allowed; None means all rows."""
        if allowed is None:
            return self.live if self.dead else None
        chosen = allowed.chosen(self.held)
        if not self.dead:
            return chosen
        bits = chosen.bits & self.live.bits
        return Chosen(bits, int(np.bitwise_count(bits).sum()))

    def keys(self) -> Keys:
        """Returns the keys that live."""
        return self.held.keys[positions(self.live.bits)] if self.dead else self.held.keys

    def rows(self) -> Half:
        """Returns the rows that live."""
        rows = self.held.rows
        return rows.take(positions(self.live.bits), axis=0) if self.dead else rows


def all_of(rows: int) -> Chosen:
    """Returns all of so many rows."""
    bits = np.packbits(np.ones(rows, dtype=np.bool_), bitorder="little")
    return Chosen(bits, rows)


def _bit(places: NDArray[np.int64]) -> NDArray[np.uint8]:
    bits: NDArray[np.uint8] = np.left_shift(1, places & 7).astype(np.uint8)
    return bits
