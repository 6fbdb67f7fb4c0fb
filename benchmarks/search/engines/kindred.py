"""Kindred's own collection, through its public interface."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from benchmarks.search.data import Rows
from benchmarks.search.engines.base import SYNCED, Batch, Engine, Trait, Where
from indexes.collection import SearchRequest
from indexes.filters.language import EVERYTHING, Filter, parse_filter
from indexes.item import Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from indexes.store import Options

CALIBRATED, EXACT = 1, 2
"""Kindred chooses the effort itself; the other choice is to compare with every vector."""


SWITCH_SECONDS = 0.0002
"""How long a thread keeps Python from the others: as long as where `kindred serve` runs."""


class Kindred(Engine):
    """A local collection with declared metadata keys."""

    structure = "ivf"
    trait = Trait(
        "kindred", "indexes", SYNCED, (CALIBRATED, EXACT), "1 calibrated, 2 exact", adapts=True
    )

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        self._store = FolderStore(folder, Tuning(threads=threads))
        collection = self._store.create(
            "bench",
            space_id="0" * 64,
            dim=dim,
            model="synthetic",
            options=Options(indexed=("bucket", "tag"), structure=self.structure),
        )
        self._collection = cast(LocalCollection, collection)

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        self._collection.upsert(
            [
                Item(str(key), batch.modality, vector, {"bucket": int(bucket), "tag": tag})
                for key, vector, bucket, tag in zip(
                    batch.keys, batch.vectors, batch.buckets, batch.tags(), strict=True
                )
            ]
        )

    def build(self) -> None:
        """See `Engine.build`; what a thread does beside serving, awaited."""
        self._collection.maintain()

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        return self._ask(query, asked_with, effort, (), EVERYTHING)

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`."""
        modalities = (where.modality,) if where.modality else ()
        return self._ask(query, asked_with, effort, modalities, _filter(where))

    def close(self) -> None:
        """See `Engine.close`."""
        self._store.close()

    def _ask(
        self, query: Rows, asked_with: str, effort: int, modalities: tuple[str, ...], filter: Filter
    ) -> Sequence[int]:
        answer = self._collection.search(
            SearchRequest(
                query,
                asked_with,
                modalities=modalities,
                filter=filter,
                ranking="cosine",
                exact=effort == EXACT,
            )
        )
        return [int(hit.id) for hit in answer.hits]


class KindredGraph(Kindred):
    """The same, with a graph a modality."""

    structure = "graph"


def _filter(where: Where) -> Filter:
    conditions: dict[str, object] = {}
    if where.below is not None:
        conditions["bucket"] = {"$lt": where.below}
    if where.tag:
        conditions["tag"] = where.tag
    return parse_filter(conditions) if conditions else EVERYTHING
