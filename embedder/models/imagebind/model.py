"""imagebind_huge as an embedder: Meta's shared space of pictures, words and sounds."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment, Vectors, unit
from embedder.errors import EncodingFailed
from embedder.media import Audio, Image, Media, Modality, Single, Text, Video
from embedder.models.clip_tokenizer import CONTEXT, ClipTokenizer
from embedder.models.imagebind.senses import CLIP_SAMPLES, CLIPS, SIDE, clips, picture
from embedder.models.imagebind.shape import HUGE, ImageBindShape
from embedder.models.imagebind.tower import Towers
from embedder.models.imagebind.video import CLIPS as FILM_CLIPS
from embedder.models.imagebind.video import CROPS, clip_frames, film
from embedder.models.imagebind.weights import load_towers
from embedder.models.lowering import lowered
from embedder.models.passes import run_rows
from embedder.runtime.base import AUTOMATIC, Placement
from embedder.runtime.torch import entered, placed, torch_precision, use_threads

NAME = "imagebind_huge"
PREPROCESSING = 1
"""Changes when the same media would give other vectors under the same weights."""

_SENSES: Mapping[Modality, str] = {
    Modality.TEXT: "text",
    Modality.IMAGE: "vision",
    Modality.AUDIO: "audio",
}

_MOST_ROWS = 8
"""Inputs of one forward pass; more would not be faster, and need memory."""

Array = NDArray[np.generic]


class ImageBind(Embedder):
    """Embeds with ImageBind's own preprocessing and networks.

    `embed` gives unit vectors, as every embedder does. `raw` gives what the original gives: scaled,
    and, for what is read in several clips, the plain mean of the clips' vectors. `raw_tensors` does
    so for any sense of the checkpoint, depth, thermal and imu among them, whose preprocessing is
    the caller's.

    Args:
        towers: The networks.
        digest: Of the weights.
        how: Where it runs.

    Raises:
        MissingDependency: If the installed torch can't use the device, or the device can't compute
            in the stated precision.
        Unfaithful: If its vectors in that precision are too unlike those in float32.
    """

    name = NAME
    modalities = frozenset(_SENSES)
    runtime = "torch"

    def __init__(self, towers: Towers, digest: str, how: Placement = AUTOMATIC) -> None:
        self.space = EmbeddingSpace(f"{NAME}-{digest[:16]}-p{PREPROCESSING}", towers.shape.dim)
        self.limits = {
            "text_tokens": CONTEXT,
            "image_side": SIDE,
            "audio_seconds_heard": CLIPS * CLIP_SAMPLES / 16_000,
        }
        self.device, self._threads = how.device, how.threads
        self._tokenizer = ClipTokenizer()
        placed(towers, self.device)
        self._towers = towers
        precision = torch_precision(how.precision, how.device)
        if precision != self.precision:
            self.fidelity = lowered(self, partial(self._lower, precision), how)

    @classmethod
    def load(
        cls, path: Path, how: Placement = AUTOMATIC, shape: ImageBindShape = HUGE
    ) -> "ImageBind":
        """Reads a checkpoint as it was published (`imagebind_huge.pth`, 4.8 GB).

        Raises:
            WeightsError: If the file is missing, damaged, or not of this architecture.
            MissingDependency: If the installed torch can't use the device.
        """
        towers = load_towers(path, shape)
        return cls(towers, _digest(path), how)

    def _lower(self, precision: str) -> None:
        self.precision = precision
        placed(self._towers, self.device, precision)

    def raw(self, items: Sequence[Media]) -> NDArray[np.float32]:
        """Returns the original's output for each item, shape (n, dim), of any norm.

        Raises:
            MediaError: If an item cannot be embedded by this model.
        """
        prepared = [self.prepare(item) for item in items]
        return np.concatenate([self._encode(one.modality, [one.array]) for one in prepared])

    def raw_tensors(self, sense: str, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the original's output for inputs that the caller has preprocessed.

        Args:
            sense: "vision", "text", "audio", "depth", "thermal" or "imu".
            batch: Of a shape that the sense takes, e.g. (n, 1, 224, 224) for depth, or with clips,
                (n, clips, ...), whose mean is returned.

        Raises:
            ValueError: If there is no such sense, or the shape is not one that it takes.
        """
        senses = self._towers.shape.senses
        if sense not in senses:
            raise ValueError(f"a sense must be one of {', '.join(senses)}, got {sense!r}")
        return self._run(sense, np.ascontiguousarray(batch))

    def unit_tensors(self, sense: str, batch: NDArray[np.float32]) -> Vectors:
        """Returns `raw_tensors` made unit."""
        return unit(self.raw_tensors(sense, batch))

    def _prepare(self, item: Single) -> Prepared:
        match item:
            case Text():
                ids, cut = self._tokenizer.encode(item.text)
                return Prepared(item.modality, ids, Treatment(truncated=cut), ids.size)
            case Image():
                return Prepared(item.modality, picture(item))
            case Audio():
                heard = clips(item)
                treatment = Treatment(heard.truncated, heard.resampled, heard.padded, CLIPS)
                return Prepared(item.modality, heard.clips, treatment, CLIPS)

    def frames(self, rate: float, count: int) -> Sequence[int]:
        """Returns both ends of each of five clips."""
        return clip_frames(rate, count)

    def _prepare_film(self, video: Video) -> Prepared:
        views = film(video)
        return Prepared(video.modality, views, Treatment(windows=FILM_CLIPS), FILM_CLIPS * CROPS)

    def _encode(self, modality: Modality, arrays: Sequence[Array]) -> NDArray[np.float32]:
        if modality is Modality.TEXT:  # what follows the end mark changes nothing
            longest = max(ids.size for ids in arrays)
            arrays = [np.pad(ids, (0, longest - ids.size)) for ids in arrays]
        return run_rows(partial(self._run, _SENSES[modality]), arrays, _MOST_ROWS)

    def _run(self, sense: str, batch: Array) -> NDArray[np.float32]:
        use_threads(self._threads)
        with torch.inference_mode():
            vectors = self._towers(sense, entered(batch, self.device, self.precision))
        if not vectors.isfinite().all():
            raise EncodingFailed(f"the {sense} vectors must be finite, and are not")
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)


def _digest(path: Path) -> str:
    """Returns the SHA-256 of the checkpoint."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
