"""The use cases: everything Kindred does, asked and answered in `service.messages`.

Errors are those of `embedder.errors`, `indexes.errors` and `service.batching`; `service.errors` alone knows
what they are called on the wire.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.messages import (
    CollectionInfo,
    Content,
    EmbedAnswer,
    ItemInput,
    ItemPage,
    ItemResult,
    ModelInfo,
    RankAnswer,
    Readiness,
    SearchAnswer,
    SearchQuery,
    StoredItem,
)


class Engine:
    """Embeds, stores and searches. One instance serves every transport of a process.

    An async context manager: entering starts its workers, leaving drains them and closes the store.
    """

    def models(self) -> tuple[ModelInfo, ...]:
        """Returns the served models, the default one first."""
        raise NotImplementedError

    def model(self, name: str) -> ModelInfo:
        """Returns one served model."""
        raise NotImplementedError

    async def embed(
        self,
        contents: Sequence[Content],
        *,
        model: str | None = None,
        dimensions: int | None = None,
    ) -> EmbedAnswer:
        """Embeds each content; a bad one costs itself alone and has an error in its place."""
        raise NotImplementedError

    async def rank(
        self, query: Content, candidates: Sequence[Content], *, model: str | None = None
    ) -> RankAnswer:
        """Scores candidates against the query: zero-shot classification. One bad content fails the request."""
        raise NotImplementedError

    async def create_collection(self, name: str, *, model: str | None = None) -> CollectionInfo:
        """Creates a collection in a model's space."""
        raise NotImplementedError

    async def collections(self) -> tuple[CollectionInfo, ...]:
        """Returns every collection, by name."""
        raise NotImplementedError

    async def collection(self, name: str) -> CollectionInfo:
        """Returns one collection."""
        raise NotImplementedError

    async def delete_collection(self, name: str) -> None:
        """Deletes a collection and everything in it."""
        raise NotImplementedError

    async def upsert(self, collection: str, items: Sequence[ItemInput]) -> tuple[ItemResult, ...]:
        """Stores items, each on its own: a bad one costs itself alone. What is answered as stored is on disk."""
        raise NotImplementedError

    async def delete_items(self, collection: str, ids: Sequence[str]) -> tuple[ItemResult, ...]:
        """Deletes items by id; an unknown id has ITEM_NOT_FOUND in its result."""
        raise NotImplementedError

    async def items(
        self,
        collection: str,
        *,
        page_size: int = 100,
        page_token: str = "",
        filter: Mapping[str, Any] | None = None,  # noqa: A002 - the contract's name
        with_vectors: bool = False,
    ) -> ItemPage:
        """Lists items in the order they were stored."""
        raise NotImplementedError

    async def item(self, collection: str, item_id: str, *, with_vector: bool = False) -> StoredItem:
        """Returns one item."""
        raise NotImplementedError

    async def content(self, collection: str, item_id: str) -> tuple[bytes, str]:
        """Returns an item's stored media and its MIME type."""
        raise NotImplementedError

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items to a weighted mix of contents."""
        raise NotImplementedError

    async def readiness(self) -> Readiness:
        """Tells whether every model has lately embedded a probe of each of its modalities."""
        raise NotImplementedError
