"""One modality of a collection on Milvus: its rows, and how they are read whatever their order.

Milvus Lite, 2.3 and newer versions give rows in different orders, so nothing here relies on one:
reads ask for all rows of a range, narrow enough to hold few.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, half
from indexes.derived import scan
from indexes.item import Item
from indexes.milvus.cluster import Cluster
from indexes.milvus.expressions import any_id
from indexes.milvus.rows import (
    FIELDS,
    LOTS,
    Kept,
    Row,
    decode,
    kept_media,
    lot,
)

IndexKind = Literal["flat", "hnsw"]

LARGE = 100_000
"""Rows from which a graph is worth what it costs."""

_INDEXES: dict[str, dict[str, Any]] = {
    "flat": {"index_type": "FLAT", "metric_type": "IP"},
    "hnsw": {
        "index_type": "HNSW",
        "metric_type": "IP",
        "params": {"M": 32, "efConstruction": 400},  # for queries of other modalities
    },
}
_EFFORT = 512
"""Length of a graph search's list: text queries need four times what those of pictures do."""

_AT_ONCE = 1_000
"""Rows that one answer should hold."""

_WIDEST = 4_000
"""Hits that are asked for before all rows are read instead; Milvus refuses more than 16,384."""

_NUMBERS_AT_ONCE = {"lite": 50_000, "server": 4_000}
"""Rows whose numbers are read rather than counted: Lite counts by reading every row."""

_IDS_AT_ONCE = 1_000
_UNSEALED = 2_000
_SEALING = 120.0
_LAST = 2**62
_MESSAGE_BYTES = 4_000_000
"""Of rows in one message: Milvus takes 64 MB, but its log is best fed in small pieces."""

Keep = Callable[[Item], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The rows nearest to a query, best first, and their scores, float32, shape (n,)."""

    rows: list[Row]
    scores: NDArray[np.float32]
    exact: bool


@dataclass(slots=True, eq=False)
class Table:
    """A Milvus collection of items of one modality.

    Attributes:
        name: Of the Milvus collection.
        index: What it is searched with; a flat index is exact.
        waits: What reads wait for, as pymilvus names it.
    """

    cluster: Cluster
    name: str
    modality: str
    index: IndexKind
    waits: str
    _troubles: int = field(default=-1, init=False)
    _unsealed: int = field(default=0, init=False)

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Stores rows, each in the place of the one with its id."""
        start, size = 0, 0
        for end, row in enumerate(rows):
            size += 4 * len(row["vector"]) + 2 * len(str(row["metadata"])) + 600
            if size > _MESSAGE_BYTES and end > start:
                self._call("store items", "upsert", list(rows[start:end]))
                start, size = end, 0
        if rows:
            self._call("store items", "upsert", list(rows[start:]))
        self._unsealed += len(rows)

    def erase(self, ids: Sequence[str]) -> None:
        """Deletes the rows with these ids."""
        for some in _pieces(ids):
            self._call("delete items", "delete", filter=any_id(some))

    def find(self, ids: Sequence[str]) -> list[Row]:
        """Returns the rows with these ids, in any order."""
        return [row for some in _pieces(ids) for row in self._rows(any_id(some))]

    def find_places(self, ids: Sequence[str]) -> list["Place"]:
        """Returns where items with these ids are stored, in any order."""
        return [
            Place(row["id"], self, int(row["seq"]), int(row["created"]), kept_media(row))
            for some in _pieces(ids)
            for row in self._query(any_id(some), ["id", "seq", "created", "facts"])
        ]

    def count(self, expression: str = "") -> int:
        """Returns how many rows satisfy the expression."""
        found = self._query(expression, ["count(*)"])
        return int(found[0]["count(*)"])

    def settle(self) -> None:
        """Waits until every search, from anywhere, finds what was written before."""
        self._query("", ["count(*)"], waits="Strong")

    def sample(self, most: int, count: int) -> Half:
        """Returns vectors of up to `most` rows, drawn by lot, the same ones for everybody.

        Args:
            most: How many.
            count: About how many rows there are.
        """
        share = min(1.0, 1.5 * most / max(count, 1))
        while True:
            rows = self._query(f"lot < {math.ceil(share * LOTS)}", ["id", "vector"])
            if share == 1 or len(rows) >= most:
                break
            share = min(1.0, 2 * share)
        drawn = sorted(rows, key=lambda row: (lot(row["id"]), row["id"]))[:most]
        vectors = [np.array(row["vector"], np.float32) for row in drawn]
        return half(np.stack(vectors)) if vectors else np.empty((0, 0), np.float16)

    def nearest(
        self, query: NDArray[np.float32], k: int, expression: str, keep: Keep, *, exact: bool
    ) -> Nearest:
        """Returns the k nearest rows among those that satisfy the expression and are to be kept.

        As long as too few are to be kept, more are asked for. A search that finds fewer than that
        is not taken at its word: a graph search among few of many rows may end before it has seen
        them all, and Milvus 2.3 may lack a row for a moment while another one is replaced. Few as
        they are, all rows are read then.
        """
        trusted = self.index == "flat" and self.cluster.address.lite
        limit = k
        while limit <= _WIDEST and (self.index == "flat" or not exact):
            found = self._search(query, limit, expression)
            kept = [row for row in found if keep(row.item)]
            ended = len(found) < limit
            if (trusted and ended) or (len(kept) >= k and not ended):
                return _best(query, kept, k, exact=self.index == "flat")
            if ended:
                break
            limit = max(4 * limit, 64)
        kept = [row for row in self.scan(expression) if keep(row.item)]
        return _best(query, kept, k, exact=True)

    def scan(self, expression: str) -> Iterator[Row]:
        """Yields all rows that satisfy the expression, in any order."""
        pieces = math.ceil(self.count(expression) / _AT_ONCE)
        bounds = [LOTS * piece // pieces for piece in range(pieces + 1)] if pieces else []
        for low, high in pairwise(bounds):
            yield from self._rows(_both(expression, f"lot >= {low} and lot < {high}"))

    def page(self, after: tuple[int, str], n: int, expression: str, keep: Keep) -> list[Row]:
        """Returns the first n rows to be kept that were stored after a place, in that order."""
        kept: list[Row] = []
        low = after[0] - 1
        while len(kept) < n and low < _LAST:
            high = self._few_until(low, n, expression)
            rows = self._rows(_both(expression, f"seq > {low} and seq <= {high}"))
            kept += [row for row in rows if place(row) > after and keep(row.item)]
            low = high
        return sorted(kept, key=place)[:n]

    def _few_until(self, low: int, n: int, expression: str) -> int:
        """Returns a number such that n and a few more rows lie from `low` to there, or all."""
        readable = _NUMBERS_AT_ONCE["lite" if self.cluster.address.lite else "server"]
        too_few, too_many, high = low, _LAST, _LAST
        while too_many - too_few > 1:
            within = _both(expression, f"seq > {low} and seq <= {high}")
            rows = self.count(within)
            if rows > readable:
                too_many = high
            elif rows < n and high < _LAST:
                too_few = high
            elif rows <= n + _AT_ONCE:
                return high
            else:
                numbers = sorted(int(row["seq"]) for row in self._query(within, ["seq"]))
                return numbers[min(2 * n, len(numbers)) - 1]
            high = (too_few + too_many) // 2
        return high

    def _search(self, query: NDArray[np.float32], limit: int, expression: str) -> list[Row]:
        parameters = {"ef": max(_EFFORT, limit)} if self.index == "hnsw" else {}
        self._catch_up()
        self._seal()
        (hits,) = self._call(
            "search",
            "search",
            data=[query],
            anns_field="vector",
            limit=limit,
            filter=expression,
            output_fields=list(FIELDS),
            search_params={"metric_type": "IP", "params": parameters},
            consistency_level=self.waits,
        )
        return [decode(hit["entity"], self.modality) for hit in hits]

    def _rows(self, expression: str) -> list[Row]:
        """Returns all rows that satisfy an expression which is known to let few through."""
        found = self._query(expression or f"lot < {LOTS}", list(FIELDS))
        return [decode(row, self.modality) for row in found]

    def _query(self, expression: str, fields: list[str], waits: str = "") -> Sequence[Any]:
        if waits != "Strong":
            self._catch_up()
        found: Sequence[Any] = self._call(
            "read items",
            "query",
            filter=expression,
            output_fields=fields,
            consistency_level=waits or self.waits,
        )
        return found

    def _catch_up(self) -> None:
        """After trouble, waits once until what was acknowledged before it can be read again."""
        troubles = self.cluster.troubles
        if self._troubles != troubles:
            self.settle()
            self._troubles = troubles

    def _seal(self) -> None:
        """Makes Lite index what it has in memory, which it searches several times as slowly."""
        if self.cluster.address.lite and self._unsealed > _UNSEALED:
            self._unsealed = 0
            self._call("index items", "flush", timeout=_SEALING)

    def _call(self, doing: str, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return self.cluster.call(f"{doing} of {self.name}", method, self.name, *args, **options)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where an item is stored, and what else a write must know of it."""

    id: str
    table: Table
    seq: int
    created: int
    kept: Kept | None


def index_parameters(kind: IndexKind) -> dict[str, Any]:
    """Returns what pymilvus calls an index."""
    return _INDEXES[kind]


def place(row: Row) -> tuple[int, str]:
    """Returns where a row stands in the order of storing."""
    return row.seq, row.item.id


def _best(query: NDArray[np.float32], rows: list[Row], k: int, *, exact: bool) -> Nearest:
    """Scores rows as every index does; ties in the order of storing."""
    ordered = sorted(rows, key=place)
    if not ordered:
        return Nearest([], np.empty(0, np.float32), exact)
    found = scan.best(query, np.stack([row.vector for row in ordered]), k)
    return Nearest([ordered[i] for i in found.places.tolist()], found.scores, exact)


def _both(one: str, other: str) -> str:
    return f"({one}) and {other}" if one else other


def _pieces(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[i : i + _IDS_AT_ONCE] for i in range(0, len(ids), _IDS_AT_ONCE))
