"""Changes to a collection on Milvus, in an order in which none of their steps loses anything."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexes.item import Item
from indexes.local.changes import Change, Delete, Deleted, outcome_of
from indexes.milvus.cluster import Cluster
from indexes.milvus.media import Media
from indexes.milvus.rows import Kept, encode
from indexes.milvus.table import Place, Table
from indexes.milvus.tables import Tables


@dataclass(frozen=True, slots=True)
class Made:
    """What a change came to.

    Attributes:
        deleted: The ids of a deletion that there were.
        tables: Whose rows have changed.
        media: The table of media, if some were stored.
    """

    deleted: Deleted
    tables: tuple[Table, ...]
    media: Media | None

    def settle(self, cluster: Cluster) -> None:
        """Waits until everybody sees it."""
        written: list[Table | Media] = [*self.tables, *([self.media] if self.media else [])]
        cluster.each(lambda table: table.settle(), written)


class Writer:
    """Makes changes, one call at a time.

    Milvus has no transactions. So media are written before the items that point to them, items
    before what they replace is deleted, and every step may be made again: whatever a failure leaves
    undone, readers see the old item or the new one, and the next change to it sweeps up.
    """

    def __init__(self, cluster: Cluster, tables: Tables) -> None:
        self._cluster = cluster
        self._tables = tables
        self._last = 0

    def make(self, changes: Sequence[Change]) -> list[Made]:
        """Makes changes one after another, in as few steps as that takes."""
        old = self._places(list(dict.fromkeys(one for change in changes for one in _ids(change))))
        outcome = outcome_of(changes, {one: places[-1].created for one, places in old.items()})
        arriving = {i: item for i, (_, item) in outcome.arriving.items()}
        kept_with = {i: item for i, item in arriving.items() if item.content or item.windows}
        media = self._tables.media(make=True) if kept_with else None
        kept = media.write(kept_with) if media else {}
        written = self._write(outcome.arriving, kept)
        erased = self._erase(old, {one: table for table, ids in written.items() for one in ids})
        self._erase_media(old.values())
        tables = tuple({table.name: table for table in (*written, *erased)}.values())
        return [Made(deleted, tables, media) for deleted in outcome.deleted]

    def _places(self, ids: Sequence[str]) -> dict[str, list[Place]]:
        """Returns where these ids are stored, each in order of storing."""
        found: defaultdict[str, list[Place]] = defaultdict(list)
        for some in self._cluster.each(
            lambda table: table.find_places(ids), self._tables.present()
        ):
            for one in some:
                found[one.id].append(one)
        return {one: sorted(some, key=lambda place: place.seq) for one, some in found.items()}

    def _write(
        self, arriving: Mapping[str, tuple[int, Item]], kept: Mapping[str, Kept]
    ) -> dict[Table, list[str]]:
        """Stores items under new numbers; returns the ids that each table got."""
        tables = self._tables.of(str(item.modality) for _, item in arriving.values())
        rows: defaultdict[Table, list[dict[str, object]]] = defaultdict(list)
        first = self._take(len(arriving))
        for seq, (item_id, (created, item)) in enumerate(arriving.items(), start=first):
            rows[tables[str(item.modality)]].append(encode(item, seq, created, kept.get(item_id)))
        self._cluster.each(lambda table: table.write(rows[table]), list(rows))
        return {table: [str(row["id"]) for row in some] for table, some in rows.items()}

    def _erase(self, old: Mapping[str, Sequence[Place]], new: Mapping[str, Table]) -> list[Table]:
        """Deletes items from the tables they are in no more; returns those tables."""
        stale: defaultdict[Table, list[str]] = defaultdict(list)
        for item_id, places in old.items():
            for place in places:
                if place.table is not new.get(item_id):
                    stale[place.table].append(item_id)
        self._cluster.each(lambda table: table.erase(stale[table]), list(stale))
        return list(stale)

    def _erase_media(self, old: Iterable[Sequence[Place]]) -> None:
        gone = [place.kept for places in old for place in places if place.kept]
        media = self._tables.media(make=False) if gone else None
        if media:
            media.erase(gone)

    def _take(self, n: int) -> int:
        """Returns the first of n numbers, larger than all before: nanoseconds since 1970."""
        first = max(self._last + 1, time.time_ns())
        self._last = first + n - 1
        return first


def _ids(change: Change) -> Iterable[str]:
    return change.ids if isinstance(change, Delete) else change.items
