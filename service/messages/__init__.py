"""What can be asked of the engine and what it answers, free of any transport.

REST and gRPC each translate to and from these types; the engine and the command line speak nothing
else. Media are bytes here: they are decoded once, inside the engine, under limits.
"""

from service.messages.collections import AliasInfo, CollectionInfo, NewCollection, SnapshotInfo
from service.messages.content import (
    BrokenContent,
    Content,
    ItemContent,
    ItemError,
    MediaContent,
    TextContent,
    VectorContent,
)
from service.messages.embeddings import EmbedAnswer, Embedded, RankAnswer, RankedCandidate
from service.messages.items import (
    ItemInput,
    ItemPage,
    ItemResult,
    ItemResults,
    Metadata,
    StoredItem,
)
from service.messages.models import ModelInfo, Readiness
from service.messages.search import QueryPart, Ranking, SearchAnswer, SearchHit, SearchQuery
from service.messages.timing import TimingMs

__all__ = [
    "AliasInfo",
    "BrokenContent",
    "CollectionInfo",
    "Content",
    "EmbedAnswer",
    "Embedded",
    "ItemContent",
    "ItemError",
    "ItemInput",
    "ItemPage",
    "ItemResult",
    "ItemResults",
    "MediaContent",
    "Metadata",
    "ModelInfo",
    "NewCollection",
    "QueryPart",
    "RankAnswer",
    "RankedCandidate",
    "Ranking",
    "Readiness",
    "SearchAnswer",
    "SearchHit",
    "SearchQuery",
    "SnapshotInfo",
    "StoredItem",
    "TextContent",
    "TimingMs",
    "VectorContent",
]
