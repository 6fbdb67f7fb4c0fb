"""LocalCollection: SQLite is the truth, and indexes over FAISS are derived from it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from indexes.base import Vectors
from indexes.collection import Answer, Collection, Hit, Page, SearchRequest
from indexes.derived.building import Cancelled
from indexes.derived.segment import STRUCTURES
from indexes.derived.threads import ALONE, Helpers
from indexes.errors import InvalidQuery, InvalidVector, StorageError
from indexes.filters.language import EVERYTHING, Filter, microseconds
from indexes.item import Content, Item
from indexes.local import pages
from indexes.local.changes import Change, Delete, Deleted, Upsert
from indexes.local.courtesy import Courtesy
from indexes.local.declaring import Declaring
from indexes.local.filtering import FilterCache
from indexes.local.loading import Loader
from indexes.local.losses import Losses
from indexes.local.revisions import Revisions
from indexes.local.searching import Searcher
from indexes.local.shelf import Shelf
from indexes.local.tuning import DEFAULT_TUNING, Tuning
from indexes.local.upkeep import Charge, Upkeep
from indexes.local.watch import RecallWatch
from indexes.progress import Progress, silent
from indexes.queries import RecentQueries
from indexes.ranking import Calibration
from indexes.stats import Stats
from indexes.truth import asked, records, windows
from indexes.truth.inspection import inspect
from indexes.truth.ledger import Ledger, write_moments
from indexes.truth.snapshot import write
from indexes.windows import Windows


@dataclass(frozen=True, slots=True)
class Shared:
    """What the collections of a store have in common.

    Attributes:
        helpers: Threads that help searches along.
        nudge: To be called when `maintain` is due, before long.
        courtesy: Between searches and writers.
    """

    helpers: Helpers = ALONE
    nudge: Callable[[], None] = lambda: None
    courtesy: Courtesy = field(default_factory=Courtesy)


_NOTHING = Shared()


class LocalCollection(Collection):
    """Items in one SQLite file, with an index for each modality: in memory, and files when large.

    Args:
        path: The file; segments lie in a folder beside it.
        name: Of the collection.
        tuning: How it uses memory, time and processors.
        shared: What it has in common with others.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        tuning: Tuning = DEFAULT_TUNING,
        shared: Shared = _NOTHING,
    ) -> None:
        """Opens the file, and maps its segments or builds their like from it.

        Raises:
            StorageError: If the file cannot be opened or is damaged.
        """
        self.name = name
        self._tuning, self._shared = tuning, shared
        self._ledger = Ledger(path, shared.courtesy.give_way)
        self._closing = threading.Event()
        self._maintaining = threading.Lock()
        self._filters = FilterCache(tuning.filter_bytes)
        self._shelf = Shelf(path.parent / "segments")
        try:
            self._load()
        except StorageError:
            self._ledger.close()
            raise

    def upsert(self, items: Sequence[Item]) -> None:
        """See `Collection.upsert`."""
        for item in items:
            self._require_dim(item.vector, f"item {item.id!r}")
        latest = {item.id: item for item in items}
        self._change(Upsert(latest, microseconds(datetime.now(UTC))))

    def delete(self, ids: Sequence[str]) -> tuple[str, ...]:
        """See `Collection.delete`."""
        return self._change(Delete(tuple(dict.fromkeys(ids))))

    def get(self, item_id: str) -> Item:
        """See `Collection.get`."""
        with self._ledger.read() as connection:
            return records.by_id(connection, item_id)

    def get_content(self, item_id: str) -> Content:
        """See `Collection.get_content`."""
        with self._ledger.read() as connection:
            return records.content(connection, item_id)

    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """See `Collection.windows`."""
        with self._ledger.read() as connection:
            names = {it.seq: item_id for item_id, it in records.find(connection, ids).items()}
            return {names[seq]: it for seq, it in windows.read(connection, names).items()}

    def items(
        self, *, page_size: int = 100, page_token: str = "", filter: Filter = EVERYTHING
    ) -> Page:
        """See `Collection.items`."""
        if page_size < 1:
            raise InvalidQuery(f"page_size must be at least 1, got {page_size}")
        after = pages.last_seen(page_token)
        with self._ledger.read() as connection:
            shown, more = records.page(connection, after, page_size, filter)
        return Page(tuple(shown), pages.token_after(more) if more else "")

    def declare(self, indexed: Sequence[str]) -> None:
        """See `Collection.declare`."""
        self._declaring.declare(indexed)
        self.indexed = self._declaring.ready()

    def count(self) -> dict[str, int]:
        """See `Collection.count`."""
        partitions = self._revisions.now.partitions
        return {modality: len(it) for modality, it in partitions.items() if len(it)}

    def size_bytes(self) -> int:
        """See `Collection.size_bytes`."""
        return self._ledger.size_bytes() + self._shelf.size_bytes()

    def stats(self) -> Stats:
        """See `Collection.stats`."""
        partitions = self._revisions.now.partitions
        return Stats(
            segments={modality: it.stats() for modality, it in partitions.items() if len(it)},
            recall=self._watch.stats(partitions),
            building=self._upkeep.building,
            damaged=self._losses.ids(),
        )

    def damage(self) -> Iterator[str]:
        """See `Collection.damage`."""
        with self._ledger.pinned() as connection:
            yield from map(str, inspect(connection))

    def search(self, request: SearchRequest) -> Answer:
        """See `Collection.search`."""
        self._require_dim(request.vector, "the query")
        self._queries.add(request.query_modality, request.vector)
        while True:
            with self._shared.courtesy.search():
                answer, lost = self._answer(request)
            if not lost:
                return answer
            self._losses.add(lost)

    def snapshot(self, path: Path, progress: Progress = silent) -> None:
        """Writes one moment of it to a new file, as `indexes.truth.snapshot.write` does.

        Raises:
            StorageError: If the file exists or cannot be written; then there is none.
        """
        write(self._ledger, self.name, path, progress)

    def maintain(self) -> None:
        """Builds, checks and calibrates whatever is due, beside serving; then all is as it should.

        Raises:
            StorageError: If something cannot be read or written; what serves goes on serving.
        """
        with self._maintaining:
            try:
                if not self._closing.is_set():
                    self._declaring.fill()
                    self.indexed = self._declaring.ready()
                    self._upkeep.round(self._closing.is_set)
                    self._remember(new_queries=self._tuning.kept_queries // 4)
                    self.index = self._kind(exact=self._revisions.now.is_exact())
            except Cancelled:
                return

    def close(self) -> None:
        """See `Collection.close`."""
        self._closing.set()
        with self._maintaining:
            if not self._ledger.closed:
                self._remember(new_queries=1)
                self._revisions.close()

    def _load(self) -> None:
        facts = self._ledger.facts()
        self.space_id, self.dim = facts.space_id, facts.dim
        self.model, self.created = facts.model, facts.created
        self.recall_target, self.structure = facts.recall_target, facts.structure
        self._calibration = Calibration(facts.backgrounds, self._ledger.moments())
        self._searcher = Searcher(self._calibration)
        tuning = self._tuning
        loader = Loader(self.dim, tuning.layout, self._shared.helpers, self._shelf)
        with self._ledger.read() as connection:
            first, damaged = loader.revision(connection)
            kept = asked.read(connection, self.dim)
        self._queries = RecentQueries(kept, tuning.kept_queries, tuning.live_queries)
        self._watch = RecallWatch(self.recall_target, tuning.judged_queries)
        self._revisions = Revisions(self._ledger, first, loader.empty, tuning.group_rows)
        self._looked_at = first.sequence  # the number alone: a revision holds its vectors
        self._losses = Losses(self._ledger, self._revisions, damaged)
        self._declaring = Declaring(self._ledger, self._revisions, self._closing)
        self.indexed = self._declaring.ready()
        charge = Charge(
            loader,
            self._revisions,
            self._shelf,
            self._queries,
            self._watch,
            self._losses,
            STRUCTURES[self.structure],
        )
        self._upkeep = Upkeep(charge, tuning)
        self._stored = (self._calibration.settled(), self._queries.changes)
        self.index = self._kind(exact=first.is_exact())

    def _change(self, change: Change) -> Deleted:
        deleted = self._revisions.change(change)
        now = self._revisions.now.sequence
        if now != self._looked_at:  # of those who were committed together, one looks
            self._looked_at = now
            if self._upkeep.due():
                self._shared.nudge()
        return deleted

    def _answer(self, request: SearchRequest) -> tuple[Answer, list[int]]:
        """Returns the answer, and the numbers of items in it that turn out to be damaged."""
        with self._revisions.moment() as (connection, revision):
            allowed = None
            if request.filter != EVERYTHING:
                allowed = self._filters.allowed(connection, revision.sequence, request.filter)
            outcome = self._searcher.search(request, revision, allowed)
            found = records.shown(
                connection,
                (best.key for best in outcome.ranked),
                with_vectors=request.include_vectors,
            )
            at = windows.best(connection, found, request.vector)
        lost = [best.key for best in outcome.ranked if best.key not in found]
        hits = tuple(
            Hit.of(best, found[best.key], found[best.key].vector, at.get(best.key))
            for best in outcome.ranked
            if best.key in found
        )
        return Answer(hits, outcome.ranking, outcome.exact, self._kind(exact=outcome.exact)), lost

    def _remember(self, new_queries: int) -> None:
        """Writes down what was learned from questions, if it is so much."""
        moments, changes = self._calibration.settled(), self._queries.changes
        known, seen = self._stored
        if moments is known and changes < seen + new_queries:
            return
        with self._revisions.write() as connection:
            write_moments(connection, moments)
            asked.write(connection, self._queries.all())
        self._stored = (moments, changes)

    def _kind(self, *, exact: bool) -> str:
        return "flat" if exact else self.structure

    def _require_dim(self, vector: Vectors, whose: str) -> None:
        if len(vector) != self.dim:
            raise InvalidVector(
                f"collection {self.name!r} takes vectors of {self.dim} numbers, "
                f"{whose} has {len(vector)}"
            )
