"""Every call a client can make, as a value: what it asks, and the type of its answer.

A call's fields are the arguments of the method of `Client` and `AsyncClient` that makes it, and its
docstring is that method's: both clients are lists of these, and each wire is a table of them. So
a call is described once, whatever carries it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, Literal, TypeVar

from kindred._answers import (
    Collection,
    Embeddings,
    File,
    ItemPage,
    ItemResults,
    Model,
    Ranked,
    Ranking,
    SearchAnswer,
    StoredItem,
)
from kindred._content import ContentLike, ItemInput, Modality, Part

T_co = TypeVar("T_co", covariant=True)

Filter = Mapping[str, Any]
"""Such as `{"year": {"$gte": 2020}}`: $eq $ne $gt $gte $lt $lte $in $nin $exists $and $or $not."""


Priority = Literal["interactive", "bulk"]
"""Who goes first where many ask: each call of forward passes may say."""


class Call(Generic[T_co]):
    """A question whose answer is a `T_co`."""


def terms_of(call: Call[Any]) -> dict[str, str]:
    """Returns what a call asks of the queue, as HTTP headers or as gRPC metadata."""
    priority = getattr(call, "priority", None)
    return {} if priority is None else {"x-kindred-priority": priority}


@dataclass(frozen=True)
class Health(Call[bool]):
    """Tells whether every model has lately embedded a probe of each of its modalities."""


@dataclass(frozen=True)
class ListModels(Call[tuple[Model, ...]]):
    """Returns the served models, the default one first."""


@dataclass(frozen=True)
class GetModel(Call[Model]):
    """Returns one served model.

    Raises:
        NotFound: If it isn't served.
    """

    name: str


@dataclass(frozen=True)
class Embed(Call[Embeddings]):
    """Embeds contents, in order.

    Args:
        contents: What to embed; one alone counts as a list of one.
        model: The model's name; none means the default one.
        dimensions: Keep only so many leading numbers, as a unit vector again.
        on_error: What a bad content costs: the "request", or the "item" alone, which then has
            an error in its place.
        windows: Whether each vector comes with those of its windows: stretches of a sound or a
            film that overlap by half.
        priority: "interactive" goes before "bulk"; None means interactive.

    Raises:
        KindredError: If a content is bad and costs the request; `details["index"]` tells which.
    """

    contents: ContentLike | Iterable[ContentLike]
    _: KW_ONLY
    model: str | None = None
    dimensions: int | None = None
    on_error: Literal["request", "item"] = "request"
    windows: bool = False
    priority: Priority | None = None


@dataclass(frozen=True)
class Rank(Call[Ranked]):
    """Scores candidates against a query: classification without training.

    Args:
        query: What is to be classified.
        candidates: What it may be.
        model: The model's name; none means the default one.
        priority: "interactive" goes before "bulk"; None means interactive.

    Raises:
        KindredError: If a content is bad.
    """

    query: ContentLike
    candidates: ContentLike | Iterable[ContentLike]
    _: KW_ONLY
    model: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True)
class CreateCollection(Call[Collection]):
    """Creates an empty collection.

    Args:
        name: 1 to 63 lower-case letters, digits, - or _, starting with a letter or digit.
        model: Whose space it is in; none means the default one.
        indexed: Fields of metadata that filters ask for often, such as "year".
        recall_target: Share of the true ten nearest that approximate searches must find; none
            means what the server is set to.
        structure: What approximate searches run on where a modality is large: "ivf", inverted
            lists of codes, small and soon built, or "graph", which takes longer to build and more
            disk; none means what suits the server's store. It can't be changed later.

    Raises:
        Conflict: If the name is taken.
    """

    name: str
    _: KW_ONLY
    model: str | None = None
    indexed: Iterable[str] = ()
    recall_target: float | None = None
    structure: str | None = None


@dataclass(frozen=True)
class ListCollections(Call[tuple[Collection, ...]]):
    """Returns every collection, by name."""


@dataclass(frozen=True)
class GetCollection(Call[Collection]):
    """Returns one collection, with what its indexes are made of and how well they find if asked.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str
    _: KW_ONLY
    with_stats: bool = False


@dataclass(frozen=True)
class UpdateCollection(Call[Collection]):
    """Changes which fields of metadata are indexed; returns when filters on them are fast.

    Args:
        name: The collection.
        indexed: All fields that are to be, those of before as well as new ones. Items are stored
            and found while new ones are prepared.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str
    _: KW_ONLY
    indexed: Iterable[str]


@dataclass(frozen=True)
class DeleteCollection(Call[None]):
    """Deletes a collection and everything in it.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str


@dataclass(frozen=True)
class Upsert(Call[ItemResults]):
    """Stores items, in place of those with the same ids; what is answered as stored is on disk.

    A bad item costs itself alone: look at `failed` of the answer.

    Args:
        collection: Where to.
        items: What to store; a content alone gets the digest of it as its id.
        windows: Whether longer sounds and films are kept with the vectors of their windows, so that
            hits tell where they match.
        priority: "interactive" goes before "bulk"; None means bulk.
    """

    collection: str
    items: Iterable[ItemInput | ContentLike]
    _: KW_ONLY
    windows: bool = False
    priority: Priority | None = None


@dataclass(frozen=True)
class DeleteItems(Call[ItemResults]):
    """Deletes items by id; an unknown one has ITEM_NOT_FOUND in its result."""

    collection: str
    ids: Iterable[str]


@dataclass(frozen=True)
class ListItems(Call[ItemPage]):
    """Returns one page of the items, in the order they were stored."""

    collection: str
    _: KW_ONLY
    page_size: int = 100
    page_token: str = ""
    filter: Filter | None = None
    with_vectors: bool = False


@dataclass(frozen=True)
class GetItem(Call[StoredItem]):
    """Returns one item.

    Raises:
        NotFound: If there is none of this id.
    """

    collection: str
    id: str
    _: KW_ONLY
    with_vector: bool = False


@dataclass(frozen=True)
class GetContent(Call[File]):
    """Returns the stored media of an item.

    Raises:
        NotFound: If there is no such item, or its media were not kept.
    """

    collection: str
    id: str


@dataclass(frozen=True)
class Search(Call[SearchAnswer]):
    """Finds the items nearest to a content, or to a weighted mix of contents.

    Args:
        collection: Where to look.
        query: A content, or several, or `Part`s with weights; a negative weight pushes away.
        k: The most hits.
        modalities: Which may answer; none means all.
        k_per_modality: The most hits of each modality.
        filter: Which items may answer, such as `{"year": {"$gte": 2020}}`.
        min_score: The least cosine of a hit.
        ranking: None means calibrated where the items asked span modalities, else cosine.
        with_vectors: Whether hits carry their vectors.
        exact: Whether every item must be compared, however long it takes.
        priority: "interactive" goes before "bulk"; None means interactive.
    """

    collection: str
    query: ContentLike | Part | Iterable[ContentLike | Part]
    _: KW_ONLY
    k: int = 10
    modalities: Iterable[Modality | str] = ()
    k_per_modality: int | None = None
    filter: Filter | None = None
    min_score: float | None = None
    ranking: Ranking | None = None
    with_vectors: bool = False
    exact: bool = False
    priority: Priority | None = None
