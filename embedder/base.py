"""The contract between models and everything that uses them, on one screen.

An embedder works in two steps, so that a server can overlap them: `prepare` turns one item into
arrays (cheap, per item, thread-safe), `encode` turns a batch of prepared items into unit vectors
(the forward pass). `embed` is both.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from embedder.errors import EncodingFailed, UnsupportedModality
from embedder.frames import evenly
from embedder.media import Image, Media, Modality, Single, Video
from embedder.windows import DEFAULT_WINDOWING, Windowing, WindowVectors, cuts

Vectors = NDArray[np.float32]
"""float32, shape (n, dim), C-contiguous, rows of unit L2 norm."""


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Where vectors are comparable.

    Attributes:
        id: Digest of weights and preprocessing version: equal ids mean comparable vectors.
        dim: Length of a vector.
    """

    id: str
    dim: int


@dataclass(frozen=True, slots=True)
class Treatment:
    """What preprocessing did to an item, told to whoever sent it.

    `windows` counts the stretches of a long sound, or the frames of a film, that were averaged.
    """

    truncated: bool = False
    resampled: bool = False
    padded: bool = False
    windows: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One item, ready for a forward pass.

    Attributes:
        modality: Which tower it goes to.
        array: The tower's input for this item alone, without a batch axis.
        treatment: What preprocessing did.
        cost: Work of its forward pass in the tower's own unit (tokens, images, audio patches).
        many: Whether the array holds several inputs, along its first axis, whose unit vectors are
            averaged: the frames of a film.
    """

    modality: Modality
    array: NDArray[np.generic]
    treatment: Treatment = Treatment()
    cost: int = 1
    many: bool = False

    @property
    def inputs(self) -> Sequence[NDArray[np.generic]]:
        """What the tower takes, one by one."""
        return list(self.array) if self.many else [self.array]


@dataclass(frozen=True, slots=True)
class Background:
    """How the cosines of unrelated pairs of two modalities are spread.

    Modalities lie in different cones of a space, so a cosine means something only against these:
    (cosine - mean) / std is comparable across modalities.
    """

    mean: float
    std: float


class Embedder(ABC):
    """Turns media of several modalities into unit vectors of one space.

    Batch composition never changes a vector by more than 1e-5, in bfloat16 never its cosine by more
    than 1e-4, and order is kept. Methods may be called from several threads.

    Attributes:
        name: The model's name.
        space: Where its vectors are comparable.
        modalities: What it can embed.
        logit_scale: What a cosine is multiplied by before a softmax over candidates.
        backgrounds: By (query's modality, item's modality); empty if the model does not know.
        limits: What the model takes in at once, by name, e.g. `text_tokens`.
        reducers: For some modalities, what makes decoded media smaller without changing what
            `prepare` returns, as `module:function`: media that were decoded in another process
            need not come whole.
        parameters: Weights of all towers together; 0 where the catalogue knows.
        runtime: What runs the forward pass.
        device: What it runs on.
        precision: What the forward pass computes in, e.g. "bf16"; its vectors are float32 anyhow.
        fidelity: Least cosine of its vectors to those of torch in float32, over a few probes of
            every modality; 1 for torch in float32 itself.
    """

    name: str
    space: EmbeddingSpace
    modalities: frozenset[Modality]
    logit_scale: float = 100.0
    backgrounds: Mapping[tuple[Modality, Modality], Background] = MappingProxyType({})
    limits: Mapping[str, float] = MappingProxyType({})
    reducers: Mapping[Modality, str] = MappingProxyType({})
    parameters: int = 0
    runtime: str = "python"
    device: str = "cpu"
    precision: str = "fp32"
    fidelity: float = 1.0

    @property
    def encoder(self) -> str:
        """Name of the model whose vectors of pictures these are: its own, unless it was bound."""
        return self.name

    def embed(self, items: Sequence[Media]) -> Vectors:
        """Returns one unit vector per item, in order, shape (len(items), dim).

        Raises:
            MediaError: If an item cannot be embedded by this model.
            EncodingFailed: If a vector came out zero or not finite.
        """
        return self.encode([self.prepare(item) for item in items])

    def prepare(self, item: Media) -> Prepared:
        """Returns the arrays that `encode` takes for this item.

        Raises:
            UnsupportedModality: If the model has no tower for the item's modality.
            MediaError: If the item cannot be preprocessed.
        """
        if item.modality not in self.modalities:
            known = ", ".join(sorted(self.modalities))
            raise UnsupportedModality(f"model {self.name} embeds {known}; got {item.modality}")
        return self._prepare_film(item) if isinstance(item, Video) else self._prepare(item)

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        """Runs one forward pass per modality present and returns unit vectors in the batch's order.

        Raises:
            EncodingFailed: If a vector came out zero or not finite.
        """
        vectors = np.empty((len(batch), self.space.dim), dtype=np.float32)
        for modality in {item.modality for item in batch}:
            rows = [i for i, item in enumerate(batch) if item.modality == modality]
            inputs = [batch[i].inputs for i in rows]
            found = self._encode(modality, [one for some in inputs for one in some])
            vectors[rows] = averaged(found, [len(some) for some in inputs])
        return unit(vectors)

    def embed_windows(self, item: Media, windowing: Windowing = DEFAULT_WINDOWING) -> WindowVectors:
        """Returns the vectors of an item's windows: each is that of the part cut out, embedded.

        Words, pictures, and what is no longer than a window have one window, the whole.

        Raises:
            MediaError: If the item cannot be embedded by this model.
            EncodingFailed: If a vector came out zero or not finite.
        """
        windows, parts = zip(*cuts(item, windowing), strict=True)
        return WindowVectors(windows, np.concatenate([self.embed([part]) for part in parts]))

    def frames(self, rate: float, count: int) -> Sequence[int]:
        """Returns which frames of a film this model looks at, as an `embedder.frames.Pick`."""
        return evenly(rate, count)

    def window_frames(self, rate: float, count: int) -> Sequence[int]:
        """Returns which frames are needed where a film is embedded window by window as well."""
        return sorted({*self.frames(rate, count), *evenly(rate, count)})

    def _prepare_film(self, film: Video) -> Prepared:
        """Prepares each frame as a picture."""
        frames = [self._prepare(Image(frame)) for frame in film.frames]
        return Prepared(
            film.modality,
            np.stack([frame.array for frame in frames]),
            Treatment(windows=len(frames)),
            sum(frame.cost for frame in frames),
            many=True,
        )

    @abstractmethod
    def _prepare(self, item: Single) -> Prepared:
        """See `prepare`; the modality is already known to be supported."""

    @abstractmethod
    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        """Returns one vector of any norm per array, shape (len(arrays), dim)."""


def averaged(vectors: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Returns the sum of the unit vectors of so many rows at a time, shape (len(counts), dim).

    Raises:
        EncodingFailed: If one of several rows is zero or not finite.
    """
    if len(counts) == len(vectors):  # each row stands alone, and stays as it is
        return vectors
    starts = np.cumsum([0, *counts[:-1]])
    return np.asarray(np.add.reduceat(unit(vectors), starts, axis=0), dtype=np.float32)


def unit(vectors: NDArray[np.float32]) -> Vectors:
    """Returns the rows divided by their L2 norm.

    Raises:
        EncodingFailed: If a row is zero or not finite.
    """
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] < 1e-12))
    if bad.size:
        raise EncodingFailed(f"vectors must be finite and not zero; row {bad[0]} is not")
    return np.ascontiguousarray(vectors / norms, dtype=np.float32)
