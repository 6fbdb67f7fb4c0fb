"""What can be asked of the engine and what it answers, free of any transport.

REST and gRPC each translate to and from these types; the engine and the command line speak nothing
else. Media are bytes here: they are decoded once, inside the engine, under limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embedder.base import Treatment
from embedder.media import Modality
from embedder.windows import Window, WindowVectors
from indexes.stats import Stats

Metadata = Mapping[str, Any]
"""A JSON object."""

Ranking = Literal["calibrated", "cosine"]


@dataclass(frozen=True, slots=True)
class TextContent:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class MediaContent:
    """An encoded picture, sound or film, as it came; `modality` says which sense is meant.

    What is seen of a film lies among pictures, what is heard of it among sounds.
    """

    modality: Modality
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ItemContent:
    """A stored item of the collection that is being asked."""

    id: str


@dataclass(frozen=True, slots=True, eq=False)
class VectorContent:
    """A vector of any norm, the modality it came from and the space it says to be of, if any."""

    vector: NDArray[np.float32]
    modality: Modality
    space: str = ""


@dataclass(frozen=True, slots=True)
class BrokenContent:
    """What a transport could not read, e.g. wrong base64: it costs itself alone, like bad media."""

    error: Exception


Content = TextContent | MediaContent | ItemContent | VectorContent | BrokenContent


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch failed, in the words of the error table."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class TimingMs:
    """Where the time of a request went, in milliseconds."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A served model."""

    name: str
    modalities: tuple[Modality, ...]
    dim: int
    space: str
    parameters: int
    licence: str
    description: str
    runtime: str
    device: str
    limits: Mapping[str, float]
    non_commercial: bool = False
    precision: str = "fp32"
    fidelity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One vector of an embed request, or the error that took its place; windows if asked for."""

    index: int
    vector: NDArray[np.float32] | None = None
    modality: Modality | None = None
    treatment: Treatment = field(default_factory=Treatment)
    error: ItemError | None = None
    windows: WindowVectors | None = None


@dataclass(frozen=True, slots=True)
class EmbedAnswer:
    """The answer to `Engine.embed`: one entry per content, in order."""

    model: str
    space: str
    results: tuple[Embedded, ...]
    units: int
    timing_ms: TimingMs


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """One candidate of a rank request: cosine, and softmax over all at the model's scale."""

    index: int
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class RankAnswer:
    """The answer to `Engine.rank`, best candidate first."""

    model: str
    space: str
    candidates: tuple[RankedCandidate, ...]
    timing_ms: TimingMs


@dataclass(frozen=True, slots=True)
class NewCollection:
    """A collection to create.

    Attributes:
        model: Whose space it is in; None means the default one.
        indexed: Fields of metadata that filters ask for often.
        recall_target: Share of the true ten nearest to find; None means that of the settings.
        structure: What approximate searches run on; None means what suits the store.
    """

    name: str
    model: str | None = None
    indexed: tuple[str, ...] = ()
    recall_target: float | None = None
    structure: str | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection: whose space it is in and what it holds; its indexes only if asked for."""

    name: str
    model: str
    space: str
    dim: int
    counts: Mapping[str, int]
    index: str
    bytes: int
    created: str
    indexed: tuple[str, ...]
    recall_target: float
    structure: str
    stats: Stats | None = None


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A file with one moment of a collection; `space` is that of its vectors."""

    name: str
    collection: str
    model: str
    space: str
    items: int
    bytes: int
    created: str


@dataclass(frozen=True, slots=True)
class ItemInput:
    """An item to store; without an id, a digest of its content names it, so it is stored once."""

    content: Content
    id: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of an upsert or delete request."""

    index: int
    id: str | None
    modality: Modality | None = None
    treatment: Treatment = field(default_factory=Treatment)
    error: ItemError | None = None


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
    """One page of a listing; an empty token means that it is the last."""

    items: tuple[StoredItem, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class QueryPart:
    """One part of a query; a negative weight pushes away."""

    content: Content
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A question to a collection.

    Attributes:
        parts: At least one; their unit vectors are summed by weight and made a unit vector again.
        k: How many hits in all.
        modalities: Which modalities may answer; none means all.
        k_per_modality: At most so many hits of each modality.
        filter: A filter expression as JSON, or none.
        min_score: Least cosine of a hit.
        ranking: None means calibrated where the candidates span modalities, else cosine.
        with_vectors: Whether hits carry their vectors.
        exact: Whether every item must be compared, however long it takes.
    """

    parts: Sequence[QueryPart]
    k: int = 10
    modalities: tuple[Modality, ...] = ()
    k_per_modality: int | None = None
    filter: Mapping[str, Any] | None = None
    min_score: float | None = None
    ranking: Ranking | None = None
    with_vectors: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SearchHit:
    """One answer to a question.

    Attributes:
        score: Cosine in [-1, 1].
        calibrated: The score in standard deviations above what a chance pair of these modalities
            has.
        probability: That the match is no accident.
        at: Which of its windows is nearest to the question, if it was stored with windows.
    """

    id: str
    modality: Modality
    score: float
    calibrated: float
    probability: float
    metadata: Metadata
    has_content: bool
    vector: NDArray[np.float32] | None = None
    at: Window | None = None


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer to `Engine.search`, best hit first."""

    hits: tuple[SearchHit, ...]
    space: str
    index: str
    exact: bool
    ranking: Ranking
    treatments: tuple[Treatment, ...]
    timing_ms: TimingMs


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a real forward pass of each modality has succeeded lately, and which has failed."""

    ready: bool
    failed: Mapping[str, str]
