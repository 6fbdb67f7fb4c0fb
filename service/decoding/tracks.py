"""Sound tracks of films, copied out of them in a process that may be ended."""

from typing import cast

import numpy as np

from embedder.decode.audio import sound_track
from embedder.decode.limits import Limits
from embedder.frames import Pick
from embedder.media import Modality
from service.decoding.pool import Bounds, DecodePool
from service.decoding.wire import Track

COPIER = "service.decoding.tracks:copied"


class SoundTracks(DecodePool):
    """Copies sound tracks, one at a time.

    Args:
        bounds: What a film may cost.
        copier: What copies, as `module:function`.
    """

    def __init__(self, bounds: Bounds, copier: str = COPIER) -> None:
        super().__init__(1, bounds, copier)

    def of(self, film: bytes) -> bytes | None:
        """Returns the sound track of a film as a file, or None if it has none; in any thread.

        Raises:
            MediaError: If the film is damaged, or took more than it may cost.
        """
        return cast(Track, self._ask(Modality.AUDIO, film)).file.tobytes() or None


def copied(modality: Modality, data: bytes, limits: Limits, pick: Pick) -> Track:
    """Does it, in the process."""
    return Track(np.frombuffer(sound_track(data, limits) or b"", dtype=np.uint8))
