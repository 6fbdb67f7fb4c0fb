"""What a server answers, the same over both wires. Vectors are float32 arrays, bit for bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kindred._content import Metadata, Modality
from kindred._errors import InvalidArgument
from kindred._stats import CollectionStats

Ranking = Literal["calibrated", "cosine"]


@dataclass(frozen=True, slots=True)
class Model:
    """A served model.

    Attributes:
        dim: Length of its vectors.
        space: Id of its embedding space; vectors are comparable where it is equal.
        parameters: Number of its trained parameters.
        licence: Of its weights.
        runtime: What runs it, such as "torch".
        limits: What it can take in at most, by name.
        non_commercial: Whether the licence forbids commercial use.
        precision: What its forward pass computes in, such as "bf16"; spaces don't depend on it.
        fidelity: Least cosine of its vectors to those in float32, over probes of every modality.
    """

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
    non_commercial: bool
    precision: str
    fidelity: float


@dataclass(frozen=True, slots=True)
class Treatment:
    """What preprocessing did to a content."""

    truncated: bool = False
    resampled: bool = False
    padded: bool = False
    windows: int = 1


@dataclass(frozen=True, slots=True)
class TimingMs:
    """Where the time of a call went, in milliseconds."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch failed while the others did not."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a sound or a film, in seconds; 0 to 0 is the whole of what has no duration."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class WindowEmbedding:
    """The unit vector that one window of a content would have alone."""

    window: Window
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What became of one content: a unit vector, or the error that took its place.

    Attributes:
        windows: Of the content, in order of time; only if they were asked for.
    """

    index: int
    vector: NDArray[np.float32] | None = None
    modality: Modality | None = None
    treatment: Treatment = Treatment()
    error: ItemError | None = None
    windows: tuple[WindowEmbedding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The answer to `embed`: one result for each content, in order.

    Attributes:
        units: The work done, in the model's own units: tokens, pictures, patches of sound.
    """

    model: str
    space: str
    results: tuple[Embedding, ...]
    units: int
    timing_ms: TimingMs

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The unit vectors, shape (n, dim).

        Raises:
            InvalidArgument: If a content failed; the message names the first.
        """
        for result in self.results:
            if result.error is not None:
                raise InvalidArgument(
                    f"content {result.index} has no vector: {result.error.message}",
                    reason=result.error.reason,
                    details={"index": result.index},
                )
        return np.stack([result.vector for result in self.results if result.vector is not None])


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """One candidate: its cosine to the query, and the softmax over all candidates."""

    index: int
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answer to `rank`, best candidate first."""

    model: str
    space: str
    candidates: tuple[RankedCandidate, ...]
    timing_ms: TimingMs


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection: whose space it is in and what it holds.

    Attributes:
        counts: Number of items of each modality.
        bytes: Size on disk.
        indexed: Fields of metadata that are indexed for filters.
        recall_target: Share of the true ten nearest that approximate searches must find.
        structure: What approximate searches run on where a modality is large, "ivf" or "graph".
        stats: What its indexes are made of; only if asked for.
    """

    name: str
    model: str
    space: str
    dim: int
    counts: Mapping[str, int]
    index: str
    bytes: int
    created: datetime
    indexed: tuple[str, ...]
    recall_target: float
    structure: str
    stats: CollectionStats | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of an upsert, upload or delete."""

    index: int
    id: str | None
    modality: Modality | None = None
    treatment: Treatment = Treatment()
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class ItemResults:
    """The answer to an upsert, upload or delete: one result for each item, in order.

    Attributes:
        collection: The one that was changed, by its own name.
    """

    results: tuple[ItemResult, ...]
    collection: str = ""

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """The results with an error."""
        return tuple(result for result in self.results if result.error is not None)


@dataclass(frozen=True, slots=True, eq=False)
class StoredItem:
    """An item as it is kept; its vector comes only if asked for."""

    id: str
    modality: Modality
    metadata: Metadata
    created: datetime
    has_content: bool
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a listing; an empty token means that it is the last.

    Attributes:
        collection: The one that is listed, by its own name.
    """

    items: tuple[StoredItem, ...]
    next_page_token: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """Stored media, as they came."""

    data: bytes = field(repr=False)
    mime_type: str


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """An item that answers a question.

    Attributes:
        score: Cosine in [-1, 1]; higher is nearer.
        calibrated: The score in standard deviations above a chance pair of these modalities.
        probability: That the match is no accident.
        at: Its window that is nearest to the question, if it was stored with windows.
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
    """The answer to `search`, best hit first.

    Attributes:
        collection: The one that answered, by its own name.
        exact: Whether every item was compared, so that no hit can have been missed.
        ranking: The order that was used.
        treatments: What preprocessing did to each part of the query.
    """

    collection: str
    hits: tuple[Hit, ...]
    space: str
    index: str
    exact: bool
    ranking: Ranking
    treatments: tuple[Treatment, ...]
    timing_ms: TimingMs
