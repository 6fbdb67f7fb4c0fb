"""LocalCollection: SQLite is the truth, FAISS is derived from it whenever it is opened."""

import base64
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection

import numpy as np

from indexes import records, vectors
from indexes.base import Index, Keys, Vectors
from indexes.changes import Change, Delete, Deleted, State, Upsert, make
from indexes.collection import Answer, Collection, Hit, Page, SearchRequest
from indexes.errors import InvalidQuery, InvalidVector, StorageError
from indexes.filters import EVERYTHING, Filter, microseconds
from indexes.flat import FlatIndex
from indexes.item import Content, Item
from indexes.ledger import Ledger, sequence, write_moments
from indexes.line import Line
from indexes.ranking import (
    FEWEST_ITEMS,
    SAMPLE,
    Background,
    Calibration,
    Candidates,
    Ranked,
    bulk,
    rank,
    usual_ranking,
)
from indexes.stats import SegmentStats, Stats

_PATIENCE = 5.0
"""Seconds that a reader waits for a state that both SQLite and the indexes know."""


class LocalCollection(Collection):
    """Items in one SQLite file, with one exact index for each modality in memory.

    A writer prepares the next indexes, commits, and publishes them by one assignment. A reader
    pairs a SQLite snapshot with the indexes of the same sequence number. So no search waits for a
    writer, and each sees vectors, metadata and deletions of one moment.
    """

    index = "flat"

    def __init__(self, path: Path, name: str) -> None:
        """Opens the file and rebuilds the indexes from it.

        Raises:
            StorageError: If the file cannot be opened or is damaged.
        """
        self.name = name
        self._ledger = Ledger(path)
        self._writing = threading.Lock()
        self._line: Line[Change, Deleted] = Line(self._commit)
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
        self._line.submit(Upsert(latest, microseconds(datetime.now(UTC))))

    def delete(self, ids: Sequence[str]) -> tuple[str, ...]:
        """See `Collection.delete`."""
        return self._line.submit(Delete(tuple(dict.fromkeys(ids))))

    def get(self, item_id: str) -> Item:
        """See `Collection.get`."""
        with self._ledger.read() as connection:
            return records.by_id(connection, item_id)

    def get_content(self, item_id: str) -> Content:
        """See `Collection.get_content`."""
        with self._ledger.read() as connection:
            return records.content(connection, item_id)

    def items(
        self, *, page_size: int = 100, page_token: str = "", filter: Filter = EVERYTHING
    ) -> Page:
        """See `Collection.items`."""
        if page_size < 1:
            raise InvalidQuery(f"page_size must be at least 1, got {page_size}")
        after = _last_seen(page_token)
        with self._ledger.read() as connection:
            shown, more = records.page(connection, after, page_size, filter)
        return Page(tuple(shown), _page_token(more) if more else "")

    def count(self) -> dict[str, int]:
        """See `Collection.count`."""
        return {name: len(index) for name, index in self._state.indexes.items() if len(index)}

    def size_bytes(self) -> int:
        """See `Collection.size_bytes`."""
        return self._ledger.size_bytes()

    def stats(self) -> Stats:
        """See `Collection.stats`."""
        indexes = self._state.indexes
        return Stats({name: (SegmentStats("head", len(index)),) for name, index in indexes.items()})

    def search(self, request: SearchRequest) -> Answer:
        """See `Collection.search`."""
        self._require_dim(request.vector, "the query")
        with self._moment() as (connection, indexes):
            allowed = None
            if request.filter != EVERYTHING:
                allowed = records.numbers(connection, request.filter)
            groups = [
                self._candidates(request, modality, index, allowed)
                for modality, index in sorted(indexes.items())
                if len(index) and (not request.modalities or modality in request.modalities)
            ]
            ranking = request.ranking or usual_ranking(groups)
            ranked = rank(groups, ranking, request.k)
            items = records.by_number(connection, (hit.key for hit in ranked))
        hits = tuple(
            _hit(hit, items[hit.key], request.include_vectors)
            for hit in ranked
            if hit.key in items  # one that is damaged is not
        )
        return Answer(hits, ranking, exact=True, index=self.index)

    def close(self) -> None:
        """See `Collection.close`."""
        with self._writing:
            if self._ledger.closed:
                return
            if self._calibration.settled() is not self._stored_moments:
                with self._ledger.write() as connection:
                    write_moments(connection, self._calibration.settled())
            self._ledger.close()

    def _load(self) -> None:
        facts = self._ledger.facts()
        self.space_id, self.dim = facts.space_id, facts.dim
        self.model, self.created = facts.model, facts.created
        self.indexed, self.recall_target = facts.indexed, facts.recall_target
        self._calibration = Calibration(facts.backgrounds, self._ledger.moments())
        self._stored_moments = self._calibration.settled()
        indexes: defaultdict[str, Index] = defaultdict(lambda: FlatIndex(self.dim))
        with self._ledger.read() as connection:
            for modality in vectors.modalities(connection):
                for block in vectors.blocks(connection, self.dim, modality):
                    rows = block.vectors.astype(np.float32)
                    indexes[modality] = indexes[modality].add(block.keys, rows)
            self._state = State(sequence(connection), dict(indexes))
        self._near: tuple[State, ...] = (self._state,)

    def _commit(self, changes: Sequence[Change]) -> list[Deleted]:
        """Makes changes: on disk, then published, or, after an exception, not at all."""
        with self._writing:
            moments = self._calibration.settled()
            with self._ledger.write() as connection:
                after, deleted = make(connection, self._state, changes)
                if moments is not self._stored_moments:
                    write_moments(connection, moments)
                self._near = (self._state, after)
            self._state = after
            self._stored_moments = moments
        return deleted

    @contextmanager
    def _moment(self) -> Iterator[tuple[Connection, Mapping[str, Index]]]:
        """Pairs a SQLite snapshot with the indexes of the same moment.

        The indexes lie ready before the commit makes their number visible, and stay until the next
        is on its way; whoever is overtaken by two commits looks again.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with self._ledger.read() as connection:
                number = sequence(connection)
                state = next((it for it in self._near if it.sequence == number), None)
                if state is not None:
                    yield connection, state.indexes
                    return
            time.sleep(0)
        raise StorageError(f"collection {self.name!r} was changed by another process")

    def _candidates(
        self, request: SearchRequest, modality: str, index: Index, allowed: Keys | None
    ) -> Candidates:
        width = min(request.k, request.k_per_modality or request.k)
        found = index.search(request.vector[None], width, allowed=allowed)
        keys, scores = found.keys[0], found.scores[0]
        good = keys >= 0
        if request.min_score is not None:
            good &= scores >= request.min_score
        background = self._background(request, modality, index)
        return Candidates(modality, keys[good], scores[good], background, len(index))

    def _background(self, request: SearchRequest, modality: str, index: Index) -> Background:
        """Returns the pair's background, to which this query adds what it sees."""
        keys = index.keys()
        count = min(SAMPLE, len(keys))
        sample = keys[np.arange(count) * len(keys) // count]
        own = bulk(index.search(request.vector[None], count, allowed=sample).scores[0])
        pair = (request.query_modality, modality)
        if len(keys) >= FEWEST_ITEMS:
            self._calibration.observe(pair, own, zlib.crc32(request.vector.tobytes()))
        return self._calibration.background(pair, own)

    def _require_dim(self, vector: Vectors, whose: str) -> None:
        if len(vector) != self.dim:
            raise InvalidVector(
                f"collection {self.name!r} takes vectors of {self.dim} numbers, "
                f"{whose} has {len(vector)}"
            )


def _hit(ranked: Ranked, item: Item, include_vectors: bool) -> Hit:
    return Hit(
        id=item.id,
        modality=item.modality,
        score=ranked.score,
        calibrated=ranked.calibrated,
        probability=ranked.probability,
        metadata=item.metadata,
        mime=item.mime,
        vector=item.vector if include_vectors else None,
    )


def _page_token(seq: int) -> str:
    return base64.urlsafe_b64encode(f"after:{seq}".encode()).decode()


def _last_seen(token: str) -> int:
    """Returns the number of the last item that the giver of this token has seen."""
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "after":
            return int(number)
    except ValueError:  # binascii.Error and UnicodeDecodeError are of its kind
        pass
    raise InvalidQuery(f"page_token must be one that a listing returned, got {token[:80]!r}")
