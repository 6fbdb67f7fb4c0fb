"""A frozen model that has learnt another sense: its own towers, and an audio tower bound to them.

`embedder.training.bind` makes the files. `bound:FILE` names such a model; the vectors of its sounds
lie in the base's space.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from embedder.base import Embedder, EmbeddingSpace, Prepared
from embedder.errors import WeightsError
from embedder.features.audio import SAMPLE_RATE, WINDOW_SAMPLES
from embedder.media import Audio, Modality, Single, Video
from embedder.models.hearing import SOUND_SHAPE, hear, prepare_sound
from embedder.models.mini_probes import probes
from embedder.runtime.base import AUTOMATIC, Placement, Runtime, Tower
from embedder.runtime.choice import place

if TYPE_CHECKING:
    from embedder.models.audio_tower import AudioTower

PREFIX = "bound:"

FORMAT = 1
"""The layout of the file: tensors of an audio tower, and `config`, which is JSON, in its header."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundFile:
    """The header of a file, checked.

    Attributes:
        path: The file.
        digest: Its SHA-256, in hexadecimal.
        base: Name of the model that the sense was bound to.
        base_space: Id of that model's space.
        dim: Length of a vector.
        shape: Sizes of the tower, as `AudioShape` takes them.
        card: What the maker says of it, in Markdown.
    """

    path: Path
    digest: str
    base: str
    base_space: str
    dim: int
    shape: Mapping[str, Any]
    card: str

    @classmethod
    def read(cls, path: Path) -> "BoundFile":
        """Reads and checks the header.

        Raises:
            WeightsError: If the file is missing, damaged, or of another kind or layout.
        """
        if not path.is_file():
            raise WeightsError(f"a bound sense must be a file, got {path}")
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with safe_open(path, framework="np") as archive:
                header = archive.metadata() or {}
            config = json.loads(header["config"])
            if config["format"] != FORMAT:
                raise WeightsError(f"format must be {FORMAT}, got {config['format']} in {path}")
            base, space, shape = config["base"], config["base_space"], dict(config["audio"])
            return cls(path, digest, base, space, int(shape["dim"]), shape, config["card"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as exc:
            raise WeightsError(f"{path} must be a file that `kindred bind` wrote: {exc!r}") from exc


class BoundModel(Embedder):
    """Embeds what its base embeds, and sounds.

    Args:
        base: The model that the sense was bound to.
        file: The sense.
        how: Where its tower runs.

    Raises:
        WeightsError: If the sense was bound to another model than `base`.
    """

    def __init__(self, base: Embedder, file: BoundFile, how: Placement = AUTOMATIC) -> None:
        if base.space.id != file.base_space:
            raise WeightsError(
                f"{file.path.name} was bound to {file.base} with space {file.base_space}; "
                f"{base.name} here has space {base.space.id}: other weights or preprocessing"
            )
        self.name = f"{PREFIX}{file.path}"
        self.modalities = base.modalities | {Modality.AUDIO}
        self.space = EmbeddingSpace(f"{base.space.id}+{file.digest[:16]}", base.space.dim)
        self.logit_scale = base.logit_scale
        self.reducers = base.reducers
        self.limits = {**base.limits, "audio_window_seconds": WINDOW_SAMPLES / SAMPLE_RATE}
        self.runtime, self.device = base.runtime, base.device
        self._base = base
        self._tower: Runtime = place(_tower(file), how)
        self.precision = ", ".join(dict.fromkeys((base.precision, self._tower.precision)))
        self.fidelity = min(base.fidelity, self._tower.fidelity)

    @property
    def encoder(self) -> str:
        """Name of the model that embeds the pictures."""
        return self._base.encoder

    def _prepare(self, item: Single) -> Prepared:
        return prepare_sound(item) if isinstance(item, Audio) else self._base.prepare(item)

    def frames(self, rate: float, count: int) -> Sequence[int]:
        """Returns what the base looks at."""
        return self._base.frames(rate, count)

    def _prepare_film(self, film: Video) -> Prepared:
        return self._base.prepare(film)

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        if modality is Modality.AUDIO:
            return hear(self._tower, arrays)
        return self._base.encode([Prepared(modality, array) for array in arrays])


def _tower(file: BoundFile) -> Tower:
    return Tower(
        digest=f"bound-audio-{file.digest[:16]}",
        shape=SOUND_SHAPE,
        build=lambda: build_tower(file),
        probes=lambda: [
            window[None]
            for sound in probes()[Modality.AUDIO]
            if isinstance(sound, Audio)
            for window in prepare_sound(sound).array
        ],
    )


def build_tower(file: BoundFile) -> "AudioTower":
    """Builds the audio tower of a file.

    Raises:
        WeightsError: If its tensors are not those of such a tower.
    """
    from safetensors.torch import load_file

    from embedder.models.audio_tower import AudioShape, AudioTower

    try:
        tower = AudioTower(AudioShape(**file.shape))
        state = {name: tensor.float() for name, tensor in load_file(file.path).items()}
        tower.load_state_dict(state, strict=True)
    except (RuntimeError, TypeError) as exc:
        raise WeightsError(f"the weights of {file.path} must fit their tower: {exc}") from exc
    return tower
