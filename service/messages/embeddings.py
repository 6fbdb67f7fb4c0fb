"""What embedding and ranking answer."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.base import Treatment
from embedder.media import Modality
from embedder.windows import WindowVectors
from service.messages.content import ItemError
from service.messages.timing import TimingMs


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
