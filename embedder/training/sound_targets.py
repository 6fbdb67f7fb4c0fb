"""What the sound teacher says about every clip, and the clips' log-mels, computed once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.decode import decode_audio
from embedder.features.audio import log_mel, looped, mono_16k, patches
from embedder.training.shards import ShardItem, read_media
from embedder.training.teachers.sound import SoundTeacher


@dataclass(frozen=True, slots=True, eq=False)
class SoundTargets:
    """What the sound teacher says about n clips; a clip shorter than a patch was looped.

    Attributes:
        keys: Keys of the clips, (n,).
        mean: Mean of YAMNet's embedding over a clip's patches, float32, (n, 1024), not negative.
        max: The maximum likewise.
        scores: Mean of the class scores over the patches, float32 in [0, 1], (n, 521).
    """

    keys: NDArray[np.str_]
    mean: NDArray[np.float32]
    max: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Spectrograms:
    """The log-mels of n clips, one after the other.

    Attributes:
        keys: Keys of the clips, (n,).
        frames: float16, (frames of all clips, 64).
        starts: Where each clip begins, and where the last one ends, (n + 1,).
    """

    keys: NDArray[np.str_]
    frames: NDArray[np.float16]
    starts: NDArray[np.int64]

    def clip(self, index: int) -> NDArray[np.float32]:
        """Returns one clip's log-mel, (frames, 64)."""
        begin, end = self.starts[index : index + 2]
        return self.frames[begin:end].astype(np.float32)

    def only(self, keep: NDArray[np.bool_]) -> "Spectrograms":
        """Returns the clips that are to be kept."""
        clips = [self.frames[self.starts[i] : self.starts[i + 1]] for i in np.flatnonzero(keep)]
        return _joined(self.keys[keep], clips)


def read_spectrograms(items: Sequence[ShardItem]) -> Spectrograms:
    """Decodes the clips and returns their log-mels, at least one patch long each."""
    clips = [
        log_mel(looped(samples)).astype(np.float16) for samples in map(heard, read_media(items))
    ]
    return _joined(np.array([item.key for item in items]), clips)


@torch.inference_mode()
def run_sound_teacher(teacher: SoundTeacher, spectrograms: Spectrograms) -> SoundTargets:
    """Returns what the teacher says about each clip."""
    means, maxima, scores = [], [], []
    for i in range(len(spectrograms.keys)):
        outputs = teacher(torch.from_numpy(patches(spectrograms.clip(i))))
        means.append(outputs.embedding.mean(dim=0).numpy())
        maxima.append(outputs.embedding.amax(dim=0).numpy())
        scores.append(outputs.logits.sigmoid().mean(dim=0).numpy())
    return SoundTargets(spectrograms.keys, np.stack(means), np.stack(maxima), np.stack(scores))


def cached_spectrograms(items: Sequence[ShardItem], path: Path) -> Spectrograms:
    """Returns the log-mels from `path`, where an earlier call has left them."""
    if not path.exists():
        made = read_spectrograms(items)
        np.savez(path, keys=made.keys, frames=made.frames, starts=made.starts)
    with np.load(path) as file:
        return Spectrograms(file["keys"], file["frames"], file["starts"])


def cached_sound_targets(
    spectrograms: Spectrograms, teacher: SoundTeacher, path: Path
) -> SoundTargets:
    """Returns the teacher's words from `path`, where an earlier call has left them."""
    if not path.exists():
        made = run_sound_teacher(teacher, spectrograms)
        np.savez(path, keys=made.keys, mean=made.mean, max=made.max, scores=made.scores)
    with np.load(path) as file:
        return SoundTargets(file["keys"], file["mean"], file["max"], file["scores"])


def _joined(keys: NDArray[np.str_], clips: Sequence[NDArray[np.float16]]) -> Spectrograms:
    starts = np.cumsum([0, *map(len, clips)])
    return Spectrograms(keys, np.concatenate(clips), starts)


def heard(file: bytes) -> NDArray[np.float32]:
    """Returns a file's samples as the library hears them: decoded, mixed to mono, at 16 kHz."""
    return mono_16k(decode_audio(file))
