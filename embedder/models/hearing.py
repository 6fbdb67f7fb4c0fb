"""How a sound goes through an audio tower: in windows, whose vectors are averaged."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from embedder.base import Prepared, Treatment, unit
from embedder.features.audio import MEL_BANDS, PATCH_FRAMES, prepare_audio
from embedder.media import Audio
from embedder.runtime.base import Runtime

SOUND_SHAPE = (None, None, PATCH_FRAMES, MEL_BANDS)
"""Of the tower's input: (windows, patches, frames, bands); None where the length varies."""

_MOST_WINDOWS = 2
"""Of one forward pass; more leave the cache and are slower."""

Array = NDArray[np.generic]
Run = Callable[[Array], NDArray[np.float32]]
"""From inputs of one shape, stacked, to one vector each."""


def prepare_sound(sound: Audio) -> Prepared:
    """Returns the windows of a sound, (windows, patches, frames, bands).

    Raises:
        InvalidMedia: If nothing is left of it at the tower's rate.
    """
    heard = prepare_audio(sound)
    windows, patches = heard.patches.shape[:2]
    treatment = Treatment(resampled=heard.resampled, padded=heard.looped, windows=windows)
    return Prepared(sound.modality, heard.patches, treatment, windows * patches)


def hear(tower: Runtime, sounds: Sequence[Array]) -> NDArray[np.float32]:
    """Returns one vector of any norm per sound, (sounds, dim); its windows weigh the same."""
    windows = [window for sound in sounds for window in sound]
    vectors = unit(run_rows(tower.run, windows, _MOST_WINDOWS))
    starts = np.cumsum([0, *(len(sound) for sound in sounds[:-1])])
    return np.asarray(np.add.reduceat(vectors, starts, axis=0), dtype=np.float32)


def run_rows(run: Run, rows: Sequence[Array], most: int) -> NDArray[np.float32]:
    """Returns a tower's vectors, (rows, dim), of inputs of several shapes, `most` at a time."""
    found: dict[int, NDArray[np.float32]] = {}
    for indices in _same_shape(rows, most):
        vectors = run(np.stack([rows[i] for i in indices]))
        found.update(zip(indices, vectors, strict=True))
    return np.stack([found[i] for i in range(len(rows))])


def _same_shape(rows: Sequence[Array], most: int) -> Iterator[list[int]]:
    """Yields indices of rows of one shape, at most so many at a time."""
    by_shape = sorted(range(len(rows)), key=lambda i: rows[i].shape)
    for _, same in groupby(by_shape, key=lambda i: rows[i].shape):
        indices = list(same)
        yield from (indices[i : i + most] for i in range(0, len(indices), most))
