"""Segment: many rows of one modality on disk, searched approximately and scored exactly.

A segment is one folder that is never changed, but for `effort.json`, which is replaced whole:

    manifest.json   what it is, and the checksums of the other files
    codes.faiss     what proposes rows, mapped: RaBitQ codes in inverted lists, or a graph
    rows.f16        the vectors, mapped
    keys.i64        their keys, mapped
    effort.json     what calibration chose, by modality of the query
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half, Keys, Vectors
from indexes.derived import files
from indexes.derived.clustering import Asked, stop_if
from indexes.derived.codes import Codes
from indexes.derived.effort import PER_ROW, TRUE, Effort, cheapest, cost
from indexes.derived.graph import Graph
from indexes.derived.scan import Found, best, best_of, positions
from indexes.derived.structure import Places, Structure
from indexes.errors import StorageError
from indexes.stats import SegmentStats

FORMAT = 2
"""Of the files; other numbers are refused."""

STRUCTURES: Mapping[str, type[Structure]] = {it.kind: it for it in (Codes, Graph)}
"""By the name in manifests, options and statistics."""

LAST_KEY = 2**63 - 1
"""The largest key there can be."""

_GATHERED = 5_000
"""So few rows that may answer are all compared: that finds all and takes a millisecond."""


class KeyRange(NamedTuple):
    """The keys in (after, upto]."""

    after: int
    upto: int


class Segment:
    """An open segment; a value. Files stay mapped until the last search is done with it.

    Attributes:
        folder: Where its files are.
        modality: Of its rows.
        covers: It held every live row of its modality with a key in this range when it was built.
        keys: Of its rows, in order.
        rows: Its vectors, mapped.
        structure: What proposes rows.
        efforts: What calibration chose, by modality of the query.
        build_seconds: How long it took to build.
    """

    keys: Keys
    rows: Half
    structure: Structure
    efforts: Mapping[str, Effort]

    def __init__(self, folder: Path, manifest: files.Document) -> None:
        self.folder = folder
        self.modality = str(manifest["modality"])
        self.covers = KeyRange(manifest["after"], manifest["upto"])
        self.build_seconds = float(manifest["build_seconds"])
        self._facts: files.Document = manifest["files"]
        self._dim = int(manifest["dim"])
        self._kind = STRUCTURES[manifest["structure"]]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens a folder; checks all but the contents of `rows.f16`, whose length it checks.

        Raises:
            StorageError: If a file is missing, damaged or of another version; it names the file.
        """
        manifest = files.read_document(folder / "manifest.json")
        if manifest["format"] != FORMAT:
            raise StorageError(
                f"{folder.name}/manifest.json is of format {manifest['format']}, not {FORMAT}"
            )
        segment = cls(folder, manifest)
        segment._open()
        return segment

    def verify(self, cancelled: Asked = lambda: False) -> None:
        """Reads `rows.f16` and compares its checksums; at 1 GB/s or so, beside serving.

        Raises:
            StorageError: If it is damaged.
            Cancelled: If asked to stop.
        """
        data = self.rows.view(np.uint8).reshape(-1)
        files.check(
            self.folder / "rows.f16", data, self._facts["rows.f16"], lambda: stop_if(cancelled)
        )

    def effort(self, asked: str) -> Effort:
        """Returns how hard a query of this modality searches here: a guess before calibration."""
        return self.efforts.get(asked) or self.efforts[self.modality].wider()

    def work(self, k: int, chosen: Chosen | None, asked: str) -> float:
        """Returns what a search costs, in codes compared: some 27 ns each."""
        if chosen is not None and chosen.count <= _GATHERED:
            return PER_ROW * chosen.count
        return cost(self.structure, self._effort(k, chosen, asked))

    def searches(
        self,
        query: NDArray[np.float32],
        k: int,
        chosen: Chosen | None,
        asked: str,
        shares: int = 1,
    ) -> list[Callable[[], Found]]:
        """Returns searches that together find the k nearest rows: their positions and scores.

        Args:
            query: float32, shape (dim,).
            k: How many each is to find.
            chosen: Which rows may answer; None means all.
            asked: Modality of the query.
            shares: How many searches at most, each with its part of the work.
        """
        if chosen is not None and chosen.count <= _GATHERED:
            places = positions(chosen.bits)
            return [partial(best_of, query, self.rows, places[i::shares], k) for i in range(shares)]
        effort = self._effort(k, chosen, asked)
        proposals = self.structure.searches(query, effort, chosen, shares)
        return [partial(self._scored, query, k, propose) for propose in proposals]

    def calibrated(
        self, asked: str, queries: Vectors, target: float, cancelled: Asked = lambda: False
    ) -> Self:
        """Measures which effort reaches the target, writes it down and returns a segment with it.

        Takes some ten milliseconds a query and 100,000 rows; meant for a thread beside serving.

        Args:
            asked: The modality of these queries.
            queries: float32, shape (n, dim); 200 are plenty, fewer than `effort.FEWEST_QUERIES`
                say little.
            target: Least share of the true ten nearest that is to be found.
            cancelled: Asked between queries.

        Raises:
            Cancelled: If asked to stop; nothing has changed.
            StorageError: If the result cannot be written.
        """
        effort = measured(self.rows, self.structure, queries, target, cancelled)
        segment = copy(self)
        segment.efforts = {**self.efforts, asked: effort}
        write_efforts(self.folder, segment.efforts)
        return segment

    def stats(self, dead: int, memory_bytes: int) -> SegmentStats:
        """Describes it, given how many rows are dead and what is kept about that."""
        size = sum(facts["bytes"] for facts in self._facts.values())
        memory = memory_bytes + self.structure.nbytes
        return SegmentStats(self._kind.kind, len(self.keys), dead, memory, size, self.build_seconds)

    def _effort(self, k: int, chosen: Chosen | None, asked: str) -> Effort:
        share = 1.0 if chosen is None else chosen.count / len(self.keys)
        return self.structure.scaled(self.effort(asked), k, share)

    def _scored(self, query: NDArray[np.float32], k: int, propose: Callable[[], Places]) -> Found:
        return best_of(query, self.rows, np.sort(propose()), k)

    def _open(self) -> None:
        facts = self._facts
        keys = files.read(self.folder / "keys.i64", facts["keys.i64"])
        self.keys = keys.view("<i8")
        self.rows = files.mapped(self.folder / "rows.f16", facts["rows.f16"]).view("<f2")
        self.rows = self.rows.reshape(len(self.keys), self._dim)
        self.structure = self._kind(files.read(self.folder / "codes.faiss", facts["codes.faiss"]))
        efforts = files.read_document(self.folder / "effort.json")["efforts"]
        self.efforts = {asked: Effort(**effort) for asked, effort in efforts.items()}


def write_efforts(folder: Path, efforts: Mapping[str, Effort]) -> None:
    """Writes down what calibration chose.

    Raises:
        StorageError: If it cannot be written.
    """
    known = {asked: asdict(effort) for asked, effort in efforts.items()}
    files.write_document(folder / "effort.json", {"efforts": known})


def uncovered(segments: Sequence[Segment]) -> tuple[KeyRange, ...]:
    """Returns the ranges of keys, in order, whose rows no segment holds; the last has no end.

    An end that is not there is `LAST_KEY`.
    """
    ranges, after = [], 0
    for segment in sorted(segments, key=lambda segment: segment.covers):
        if segment.covers.after > after:
            ranges.append(KeyRange(after, segment.covers.after))
        after = max(after, segment.covers.upto)
    return (*ranges, KeyRange(after, LAST_KEY))


def measured(
    rows: Half, structure: Structure, queries: Vectors, target: float, cancelled: Asked
) -> Effort:
    """Returns the effort that finds the target share of what exact search finds.

    Args:
        rows: float16, shape (n, dim).
        structure: Of these rows.
        queries: float32, shape (n, dim), none of them a row.
        target: See `indexes.derived.effort.cheapest`.
        cancelled: Asked between queries.

    Raises:
        Cancelled: If asked to stop.
    """
    truth = []
    for query in queries:
        stop_if(cancelled)
        truth.append(best(query, rows, TRUE).places)
    return cheapest(structure, queries, truth, target, lambda: stop_if(cancelled))
