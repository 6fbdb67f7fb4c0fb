"""The contract of every collection: named items of one embedding space, found by likeness.

What a collection answers as stored is on disk and is found by the next search; what it answers as
deleted is found by none. Methods may be called from any number of threads.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import unit_vector
from indexes.errors import InvalidQuery, SpaceMismatch
from indexes.filters.language import EVERYTHING, Filter
from indexes.item import Content, Item, Metadata
from indexes.ranking import Ranked, Ranking
from indexes.stats import Stats
from indexes.windows import Window, Windows


@dataclass(frozen=True, slots=True, eq=False)
class SearchRequest:
    """A question to a collection.

    Attributes:
        vector: float32, shape (dim,), of unit norm.
        query_modality: The modality it came from; the backgrounds of calibration depend on it.
        k: How many hits in all.
        modalities: Which may answer; none means all.
        k_per_modality: At most so many hits of each modality.
        filter: What hits must satisfy.
        min_score: Least cosine of a hit.
        ranking: None means calibrated where the candidates span modalities, else cosine.
        include_vectors: Whether hits carry their vectors.
        exact: Whether every vector must be compared, however long it takes.
    """

    vector: NDArray[np.float32]
    query_modality: str
    k: int = 10
    modalities: Sequence[str] = ()
    k_per_modality: int | None = None
    filter: Filter = EVERYTHING
    min_score: float | None = None
    ranking: Ranking | None = None
    include_vectors: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidQuery: If a number is out of range.
            InvalidVector: If the vector is not finite or not of unit norm.
        """
        for name, value in (("k", self.k), ("k_per_modality", self.k_per_modality)):
            if value is not None and value < 1:
                raise InvalidQuery(f"{name} must be at least 1, got {value}")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise InvalidQuery(f"min_score must be finite, got {self.min_score}")
        object.__setattr__(self, "vector", unit_vector(self.vector))


class Named(Protocol):
    """What a hit tells of its item."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def modality(self) -> str:
        """What it is."""

    @property
    def metadata(self) -> Metadata:
        """What was stored beside it."""

    @property
    def mime(self) -> str | None:
        """Type of its kept media, if any."""


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """An item that was found.

    Attributes:
        score: Cosine in [-1, 1].
        calibrated: The score in standard deviations above what a chance pair of these modalities
            has.
        probability: That the best of all items of its modality would score less by chance.
        mime: Type of its kept media, if any.
        at: Which of its windows is nearest to the question, if it is kept with any.
    """

    id: str
    modality: str
    score: float
    calibrated: float
    probability: float
    metadata: Metadata
    mime: str | None = None
    vector: NDArray[np.float32] | None = None
    at: Window | None = None

    @classmethod
    def of(
        cls, ranked: Ranked, item: Named, vector: NDArray[np.float32] | None, at: Window | None
    ) -> Self:
        """Returns what a search tells of an item that it ranked."""
        return cls(
            id=item.id,
            modality=item.modality,
            score=ranked.score,
            calibrated=ranked.calibrated,
            probability=ranked.probability,
            metadata=item.metadata,
            mime=item.mime,
            vector=vector,
            at=at,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found, best hit first, and how."""

    hits: tuple[Hit, ...]
    ranking: Ranking
    exact: bool
    index: str


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the order they were stored; an empty token means that there are no more."""

    items: tuple[Item, ...]
    next_page_token: str


class Collection(ABC):
    """Items of one embedding space.

    Attributes:
        name: Its name in the store.
        space_id: Digest of the model that made its vectors; those of others are refused.
        dim: Length of its vectors.
        model: Name of that model.
        created: When the collection was created.
        index: What its searches run on.
        indexed: Paths into the metadata that filters ask for often.
        recall_target: Share of the true ten nearest that approximate searches must find.
        structure: What approximate searches run on, where a modality is large: "ivf", inverted
            lists of codes, or "graph".
    """

    name: str
    space_id: str
    dim: int
    model: str
    created: datetime
    index: str
    indexed: tuple[str, ...] = ()
    recall_target: float = 0.97
    structure: str = "ivf"

    @abstractmethod
    def upsert(self, items: Sequence[Item]) -> None:
        """Stores all of these items or none, each in the place of the one that had its id.

        An item keeps the time at which its id was first stored. Of items with one id the last is
        kept.

        Raises:
            InvalidVector: If a vector has not the collection's length.
            StorageError: If they cannot be written; then none of them is.
        """

    @abstractmethod
    def delete(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Deletes items and returns which of the ids there were.

        Raises:
            StorageError: If this cannot be written; then all of them are still there.
        """

    @abstractmethod
    def get(self, item_id: str) -> Item:
        """Returns one item.

        Raises:
            ItemNotFound: If there is none of this id.
        """

    @abstractmethod
    def get_content(self, item_id: str) -> Content:
        """Returns the media kept with an item.

        Raises:
            ItemNotFound: If there is no such item, or nothing was kept.
        """

    @abstractmethod
    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """Returns the windows of those of these items that are kept with any, by id."""

    @abstractmethod
    def items(
        self, *, page_size: int = 100, page_token: str = "", filter: Filter = EVERYTHING
    ) -> Page:
        """Returns one page of the items that satisfy the filter, in the order they were stored.

        An item stored again while pages are read moves to the end; none is missed.

        Raises:
            InvalidQuery: If the size is not positive, or the token was not given by this method.
        """

    @abstractmethod
    def count(self) -> dict[str, int]:
        """Returns how many items there are of each modality that has any."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Returns how much the collection takes on disk."""

    @abstractmethod
    def stats(self) -> Stats:
        """Returns what its indexes are made of and how well they find."""

    def damage(self) -> Iterator[str]:
        """Reads everything and yields, in words, what is not as it was stored.

        A store that checks what it keeps by itself has nothing to tell.
        """
        yield from ()

    @abstractmethod
    def declare(self, indexed: Sequence[str]) -> None:
        """Makes these the fields that are indexed, and returns when filters on them are fast.

        That takes some ten microseconds an item and field, in which items are stored and found as
        ever. What a crash breaks off goes on by itself.

        Args:
            indexed: All that are to be, as for `Options`: those of before as well as new ones.

        Raises:
            InvalidQuery: If they are too many, one is there twice, or one needs no index.
            InvalidFilter: If no filter could ask for one of them.
            StorageError: If this cannot be written.
        """

    @abstractmethod
    def search(self, request: SearchRequest) -> Answer:
        """Returns the items nearest to the request's vector.

        Raises:
            InvalidVector: If the vector has not the collection's length.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends its use; calls that come later raise `CollectionNotFound`."""

    def require_space(self, space_id: str) -> None:
        """Makes sure that vectors of a space belong here.

        Raises:
            SpaceMismatch: If they do not.
        """
        if space_id != self.space_id:
            raise SpaceMismatch(
                f"collection {self.name!r} holds vectors of space {self.space_id} ({self.model}), "
                f"got space {space_id}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
