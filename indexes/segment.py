"""Segment: many rows of one modality on disk, searched approximately and scored exactly.

A segment is one folder that is never changed, but for `effort.json`, which is replaced whole:

    manifest.json   what it is, and the checksums of the other files
    codes.faiss     RaBitQ codes in inverted lists: one bit a dimension, in memory
    rows.f16        the vectors, mapped
    keys.i64        their keys, mapped
    effort.json     what calibration chose, by modality of the query
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from indexes.base import Half, Keys, Vectors
from indexes.effort import Effort


class KeyRange(NamedTuple):
    """The keys in (after, upto]; upto is None where there is no end."""

    after: int
    upto: int | None


class Segment:
    """An open segment; immutable. Files stay mapped until the last search is done with it.

    Attributes:
        folder: Where its files are.
        modality: Of its rows.
        covers: It held every live row of its modality with a key in this range when it was built.
        keys: Of its rows, in order.
        rows: Its vectors, mapped.
        efforts: What calibration chose, by modality of the query.
        build_seconds: How long it took to build.
    """

    folder: Path
    modality: str
    covers: KeyRange
    keys: Keys
    rows: Half
    efforts: Mapping[str, Effort]
    build_seconds: float

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens a folder; checks all but the contents of `rows.f16`, whose length it checks.

        Raises:
            StorageError: If a file is missing, damaged or of a newer version; it names the file.
        """
        raise NotImplementedError

    def verify(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Reads `rows.f16` and compares its checksums; at 1 GB/s or so, beside serving.

        Raises:
            StorageError: If it is damaged.
        """
        raise NotImplementedError

    def effort(self, asked: str) -> Effort:
        """Returns how hard a query of this modality searches here."""
        raise NotImplementedError

    def calibrated(
        self,
        asked: str,
        queries: Vectors,
        target: float,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Self:
        """Measures which effort reaches the target, writes it down and returns a segment with it.

        Takes seconds for some hundred queries; meant for a thread beside serving.

        Args:
            asked: The modality of these queries.
            queries: float32, shape (n, dim); 200 are plenty.
            target: Least share of the true ten nearest that is to be found.
            cancelled: Asked between queries; if it says yes, nothing changes and self is returned.

        Raises:
            StorageError: If the result cannot be written.
        """
        raise NotImplementedError


def uncovered(segments: Sequence[Segment]) -> tuple[KeyRange, ...]:
    """Returns the ranges of keys, in order, whose rows no segment holds; the last has no end."""
    raise NotImplementedError
