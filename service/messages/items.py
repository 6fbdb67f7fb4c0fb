"""Items of a collection: to store, stored, listed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.base import Treatment
from embedder.media import Modality
from service.messages.content import Content, ItemError

Metadata = Mapping[str, Any]
"""A JSON object."""


@dataclass(frozen=True, slots=True)
class ItemInput:
    """An item to store; without an id, a digest of its content names it, so it is stored once.

    Attributes:
        created: When it was first stored, of a copy; None means now.
    """

    content: Content
    id: str | None = None
    metadata: Metadata = field(default_factory=dict)
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of an upsert or delete request."""

    index: int
    id: str | None
    modality: Modality | None = None
    treatment: Treatment = field(default_factory=Treatment)
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class ItemResults:
    """The answer to an upsert or delete: one result for each item, in order.

    Attributes:
        collection: The one that was changed, by its own name.
    """

    collection: str
    results: tuple[ItemResult, ...]

    @property
    def failed(self) -> int:
        """How many have an error."""
        return sum(result.error is not None for result in self.results)

    @property
    def ok(self) -> int:
        """How many have none."""
        return len(self.results) - self.failed


@dataclass(frozen=True, slots=True, eq=False)
class StoredItem:
    """An item as it is kept."""

    id: str
    modality: Modality
    metadata: Metadata
    created: str
    has_content: bool
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a listing; an empty token means that it is the last.

    Attributes:
        collection: The one that is listed, by its own name.
    """

    collection: str
    items: tuple[StoredItem, ...]
    next_page_token: str
