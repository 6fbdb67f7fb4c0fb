"""Questions to a collection and their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embedder.base import Treatment
from embedder.media import Modality
from embedder.windows import Window
from service.messages.content import Content
from service.messages.items import Metadata
from service.messages.timing import TimingMs

Ranking = Literal["calibrated", "cosine"]


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
    """The answer of a collection, by its own name, best hit first."""

    collection: str
    hits: tuple[SearchHit, ...]
    space: str
    index: str
    exact: bool
    ranking: Ranking
    treatments: tuple[Treatment, ...]
    timing_ms: TimingMs
