"""MilvusCollection: named items on a Milvus cluster."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from indexes.base import Vectors
from indexes.collection import Answer, Collection, Page, SearchRequest
from indexes.errors import (
    CollectionNotFound,
    InvalidQuery,
    InvalidVector,
    ItemNotFound,
    StorageError,
)
from indexes.filters.language import EVERYTHING, Filter, microseconds
from indexes.filters.matching import matches
from indexes.item import Content, Item
from indexes.local.changes import Change, Delete, Deleted, Upsert
from indexes.local.line import Line
from indexes.milvus.cluster import Cluster
from indexes.milvus.expressions import plain
from indexes.milvus.finding import Finder, as_text, without_twins
from indexes.milvus.root import Facts, write_indexed, write_moments
from indexes.milvus.rows import Row
from indexes.milvus.survey import Surveys
from indexes.milvus.table import Table, place
from indexes.milvus.tables import Tables
from indexes.milvus.writing import Made, Writer
from indexes.ranking import Calibration
from indexes.stats import SegmentStats, Stats
from indexes.store import check_indexed
from indexes.windows import Windows

_ATTEMPTS = 5
"""How often media are looked for whose item is being replaced."""


class MilvusCollection(Collection):
    """Items on Milvus, with one table and so one index for each modality.

    What differs from a local collection, since Milvus has no transactions:

    * A change is made in steps: media, then items, then deletions of what they replace. One that
      fails with `StorageError` may have been made in part; made again, it ends as it should.
    * While an item changes its modality, a search that runs just then may miss it.
    * Items are listed in the order of the clocks of those who stored them. With several processes,
      one whose clock lags may store an item behind the place that a listing has reached.
    * What calibration learns is kept by each process; of several, the last one's is stored.
    """

    index = "milvus"
    structure = "graph"

    def __init__(self, cluster: Cluster, name: str, facts: Facts) -> None:
        self.name = name
        self.space_id, self.dim = facts.space_id, facts.dim
        self.model, self.created = facts.model, facts.created
        self.indexed, self.recall_target = facts.options.indexed, facts.options.recall_target
        self.key = facts.key
        self._cluster = cluster
        self._calibration = Calibration(facts.backgrounds, facts.moments)
        self._stored_moments = self._calibration.settled()
        self._tables = Tables(cluster, name, facts.key, facts.dim)
        self._surveys = Surveys()
        self._finder = Finder(cluster, self._tables, self._surveys, self._calibration)
        self._writer = Writer(cluster, self._tables)
        self._line: Line[Change, Made] = Line(self._commit)
        self._closed = False

    def upsert(self, items: Sequence[Item]) -> None:
        """See `Collection.upsert`; and the class on what happens when Milvus fails half-way."""
        for item in items:
            self._require_dim(item.vector, f"item {item.id!r}")
        latest = {item.id: item for item in items}
        self._make(Upsert(latest, microseconds(datetime.now(UTC))))

    def delete(self, ids: Sequence[str]) -> tuple[str, ...]:
        """See `Collection.delete`; and the class on what happens when Milvus fails half-way."""
        return self._make(Delete(tuple(one for one in dict.fromkeys(ids) if plain(one))))

    def get(self, item_id: str) -> Item:
        """See `Collection.get`."""
        return self._row(item_id).item

    def get_content(self, item_id: str) -> Content:
        """See `Collection.get_content`."""
        for _ in range(_ATTEMPTS):
            kept = self._row(item_id).kept
            if kept is None or not kept.mime:
                raise ItemNotFound(f"no content was stored with item {item_id!r}")
            table = self._tables.media(make=False)
            content = table.read(kept, item_id) if table else None
            if content is not None:
                return content
        raise StorageError(f"the content of item {item_id!r} is missing")

    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """See `Collection.windows`."""
        self._require_open()
        media, named = self._tables.media(make=False), [one for one in ids if plain(one)]
        if media is None or not named:
            return {}
        found = self._cluster.each(lambda table: table.find(named), self._tables.present())
        rows = without_twins(row for some in found for row in some)
        kept = {row.item.id: row.kept for row in rows if row.kept and row.kept.windows}
        read = self._cluster.each(media.windows, list(kept.values()))
        return {one: windows for one, windows in zip(kept, read, strict=True) if windows}

    def items(
        self, *, page_size: int = 100, page_token: str = "", filter: Filter = EVERYTHING
    ) -> Page:
        """See `Collection.items`."""
        self._require_open()
        if page_size < 1:
            raise InvalidQuery(f"page_size must be at least 1, got {page_size}")
        after = _last_seen(page_token)
        pages = self._cluster.each(
            lambda one: one[0].page(
                after, page_size + 1, as_text(one[1]), lambda item: matches(filter, item)
            ),
            [one for one in self._finder.searched((), filter) if one[1] is not False],
        )
        rows = without_twins(row for page in pages for row in page)
        shown = rows[:page_size]
        token = _page_token(shown[-1]) if len(rows) > page_size else ""
        return Page(tuple(row.item for row in shown), token)

    def declare(self, indexed: Sequence[str]) -> None:
        """See `Collection.declare`; here it is only remembered: filters are as fast either way."""
        self._require_open()
        check_indexed(indexed)
        write_indexed(self._cluster, self.name, indexed)
        self.indexed = tuple(indexed)

    def count(self) -> dict[str, int]:
        """See `Collection.count`."""
        self._require_open()
        tables = self._tables.present()
        counts = self._cluster.each(Table.count, tables)
        return {table.modality: n for table, n in zip(tables, counts, strict=True) if n}

    def size_bytes(self) -> int:
        """Returns what the vectors take: what else Milvus stores it does not tell."""
        return 4 * self.dim * sum(self.count().values())

    def stats(self) -> Stats:
        """See `Collection.stats`; how well a graph of Milvus finds is not watched."""
        self._require_open()
        return Stats(
            {
                table.modality: (SegmentStats(table.index, self._surveys.of(table).population),)
                for table in self._tables.present()
            }
        )

    def search(self, request: SearchRequest) -> Answer:
        """See `Collection.search`."""
        self._require_open()
        self._require_dim(request.vector, "the query")
        return self._finder.search(request, self.index)

    def close(self) -> None:
        """See `Collection.close`."""
        if not self._closed:
            self._closed = True
            self._store_moments()

    def _row(self, item_id: str) -> Row:
        self._require_open()
        tables = self._tables.present() if plain(item_id) else []
        found = self._cluster.each(lambda table: table.find([item_id]), tables)
        rows = [row for some in found for row in some]
        if not rows:
            raise ItemNotFound(f"no item has the id {item_id[:80]!r}")
        return max(rows, key=place)

    def _make(self, change: Change) -> Deleted:
        """Makes a change, and returns when every search sees it."""
        self._require_open()
        made = self._line.submit(change)
        address = self._cluster.address
        if address.consistency == "visible" and not address.lite:
            made.settle(self._cluster)
        for table in made.tables:
            self._surveys.written(table)
        return made.deleted

    def _commit(self, changes: Sequence[Change]) -> list[Made]:
        self._store_moments()
        return self._writer.make(changes)

    def _store_moments(self) -> None:
        moments = self._calibration.settled()
        if moments is not self._stored_moments:
            write_moments(self._cluster, self.name, moments)
            self._stored_moments = moments

    def _require_open(self) -> None:
        if self._closed:
            raise CollectionNotFound(f"collection {self.name!r} is closed")

    def _require_dim(self, vector: Vectors, whose: str) -> None:
        if len(vector) != self.dim:
            raise InvalidVector(
                f"collection {self.name!r} takes vectors of {self.dim} numbers, "
                f"{whose} has {len(vector)}"
            )


def _page_token(row: Row) -> str:
    seq, item_id = place(row)
    return base64.urlsafe_b64encode(f"after:{seq}:{item_id}".encode()).decode()


def _last_seen(token: str) -> tuple[int, str]:
    """Returns the place that the giver of this token has reached."""
    if not token:
        return 0, ""
    try:
        word, number, item_id = base64.urlsafe_b64decode(token).decode().split(":", 2)
        if word == "after":
            return int(number), item_id
    except ValueError:  # binascii.Error and UnicodeDecodeError are of its kind
        pass
    raise InvalidQuery(f"page_token must be one that a listing returned, got {token[:80]!r}")
