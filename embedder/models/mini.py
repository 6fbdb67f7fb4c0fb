"""kindred-mini: the bundled model for words, pictures and sounds."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment, unit
from embedder.errors import WeightsError
from embedder.features.audio import SAMPLE_RATE, WINDOW_SAMPLES, prepare_audio
from embedder.features.image import SIZE, image_input
from embedder.features.text import TextTokenizer
from embedder.media import Audio, Image, Media, Modality, Text
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.image_tower import ImageShape, ImageTower
from embedder.models.mini_weights import PREPROCESSING, MiniWeights, read_weights
from embedder.models.text_tower import TextShape, TextTower
from embedder.runtime.base import Runtime
from embedder.runtime.torch import TorchRuntime

NAME = "kindred-mini"
WEIGHTS = Path(__file__).parent.parent / "weights" / f"{NAME}.safetensors"

_MAX_ROWS = {Modality.TEXT: 64, Modality.IMAGE: 8, Modality.AUDIO: 8}
"""Inputs of one forward pass; more leave the cache and are slower. A sound's are its windows."""

_MAX_CHARACTERS = 20_000
"""Of a text, what is tokenised to find the tokens that fit: a megabyte would take a second."""

_TOWERS: dict[Modality, Callable[[Mapping[str, Any]], torch.nn.Module]] = {
    Modality.TEXT: lambda shape: TextTower(TextShape(**shape)),
    Modality.IMAGE: lambda shape: ImageTower(ImageShape(**shape)),
    Modality.AUDIO: lambda shape: AudioTower(AudioShape(**shape)),
}

Array = NDArray[np.generic]


class KindredMini(Embedder):
    """Embeds with three small towers that share one space.

    Args:
        weights: What the weights file holds.
        tokenizer: The one that belongs to the weights.
        towers: What runs each modality's tower.

    Attributes:
        means: The mean unit vector of each modality.
    """

    name = NAME
    modalities = frozenset(Modality)

    def __init__(
        self,
        weights: MiniWeights,
        tokenizer: TextTokenizer,
        towers: Mapping[Modality, Runtime],
    ) -> None:
        self.space = EmbeddingSpace(f"{NAME}-{weights.digest[:16]}-p{PREPROCESSING}", weights.dim)
        self.logit_scale = weights.logit_scale
        self.backgrounds = weights.backgrounds
        self.means = weights.means
        self.limits = {
            "text_tokens": tokenizer.context,
            "image_side": SIZE,
            "audio_window_seconds": WINDOW_SAMPLES / SAMPLE_RATE,
        }
        self.runtime = towers[Modality.IMAGE].name
        self.device = towers[Modality.IMAGE].device
        self._tokenizer = tokenizer
        self._towers = towers

    @classmethod
    def load(
        cls, path: Path = WEIGHTS, *, device: str = "cpu", threads: int | None = None
    ) -> "KindredMini":
        """Reads the weights and, beside them, the tokenizer (`.tokenizer.json`).

        Raises:
            WeightsError: If a file is missing, damaged or of another architecture.
        """
        weights = read_weights(path)
        towers = {
            modality: TorchRuntime(_tower(modality, weights), device=device, threads=threads)
            for modality in Modality
        }
        return cls(weights, _tokenizer(path.with_suffix(".tokenizer.json"), weights), towers)

    def _prepare(self, item: Media) -> Prepared:
        match item:
            case Text():
                beginning = item.text[:_MAX_CHARACTERS]
                ids, cut = self._tokenizer.encode(beginning)
                treatment = Treatment(truncated=cut or len(beginning) < len(item.text))
                return Prepared(item.modality, ids, treatment, ids.size)
            case Image():
                return Prepared(item.modality, image_input(item))
            case Audio():
                sound = prepare_audio(item)
                windows, patches = sound.patches.shape[:2]
                treatment = Treatment(
                    resampled=sound.resampled, padded=sound.looped, windows=windows
                )
                return Prepared(item.modality, sound.patches, treatment, windows * patches)

    def _encode(self, modality: Modality, arrays: Sequence[Array]) -> NDArray[np.float32]:
        """Runs the tower on inputs of one shape at a time; windows of a sound weigh the same."""
        rows = _rows(modality, arrays)
        vectors = np.empty((len(rows), self.space.dim), dtype=np.float32)
        for indices in _same_shape(rows, _MAX_ROWS[modality]):
            batch = np.stack([rows[i] for i in indices])
            vectors[indices] = self._towers[modality].run(batch)
        if modality is not Modality.AUDIO:
            return vectors
        starts = np.cumsum([0, *(len(sound) for sound in arrays[:-1])])
        return np.asarray(np.add.reduceat(unit(vectors), starts, axis=0), dtype=np.float32)


def _rows(modality: Modality, arrays: Sequence[Array]) -> list[Array]:
    """Returns the tower's inputs: one per text or picture, one per window of a sound."""
    match modality:
        case Modality.TEXT:
            # The text tower only looks back, so what follows a text's end mark changes nothing.
            longest = max(ids.size for ids in arrays)
            return [np.pad(ids, (0, longest - ids.size)) for ids in arrays]
        case Modality.IMAGE:
            return list(arrays)
        case Modality.AUDIO:
            return [window for sound in arrays for window in sound]


def _same_shape(rows: Sequence[Array], most: int) -> Iterator[list[int]]:
    """Yields indices of rows of one shape, at most so many at a time."""
    by_shape = sorted(range(len(rows)), key=lambda i: rows[i].shape)
    for _, same in groupby(by_shape, key=lambda i: rows[i].shape):
        indices = list(same)
        yield from (indices[i : i + most] for i in range(0, len(indices), most))


def _tokenizer(path: Path, weights: MiniWeights) -> TextTokenizer:
    """Reads the tokenizer that the weights were trained with.

    Raises:
        WeightsError: If the file is missing or another one.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
    if digest != weights.tokenizer:
        raise WeightsError(
            f"the tokenizer must be that of the weights, SHA-256 {weights.tokenizer}; "
            f"{path} is {digest}"
        )
    shape = weights.shapes[Modality.TEXT]
    tokenizer = TextTokenizer.load(path, int(shape["context"]))
    # The text tower is read where it finds the last id of its vocabulary, the end mark.
    if tokenizer.vocabulary != shape["vocabulary"]:
        raise WeightsError(
            f"the tokenizer must have the {shape['vocabulary']} entries that the text tower has, "
            f"got {tokenizer.vocabulary}"
        )
    return tokenizer


def _tower(modality: Modality, weights: MiniWeights) -> torch.nn.Module:
    """Builds a tower and fills it with its weights.

    Raises:
        WeightsError: If the weights are not those of such a tower.
    """
    try:
        # A library that loads a model must not move its caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            tower = _TOWERS[modality](weights.shapes[modality])
        tower.load_state_dict(weights.tensors[modality], strict=True)
    except (RuntimeError, TypeError) as exc:
        raise WeightsError(f"the {modality} weights must fit their tower, got {exc}") from exc
    return tower
