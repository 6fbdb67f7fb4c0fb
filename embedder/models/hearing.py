"""How a sound goes through an audio tower: in windows, whose vectors are averaged."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.base import Prepared, Treatment, unit
from embedder.features.audio import MEL_BANDS, PATCH_FRAMES, prepare_audio
from embedder.media import Audio
from embedder.models.passes import Array, run_rows
from embedder.runtime.base import Runtime

SOUND_SHAPE = (None, None, PATCH_FRAMES, MEL_BANDS)
"""Of the tower's input: (windows, patches, frames, bands); None where the length varies."""

_MOST_WINDOWS = 2
"""Of one forward pass; more leave the cache and are slower."""


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
