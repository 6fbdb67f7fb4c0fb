"""What is embedded, stored and asked with: contents, and what went wrong with one."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.media import Modality


@dataclass(frozen=True, slots=True)
class TextContent:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class MediaContent:
    """An encoded picture, sound or film, as it came; `modality` says which sense is meant.

    What is seen of a film lies among pictures, what is heard of it among sounds.
    """

    modality: Modality
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ItemContent:
    """A stored item of the collection that is being asked."""

    id: str


@dataclass(frozen=True, slots=True, eq=False)
class VectorContent:
    """A vector of any norm, the modality it came from and the space it says to be of, if any."""

    vector: NDArray[np.float32]
    modality: Modality
    space: str = ""


@dataclass(frozen=True, slots=True)
class BrokenContent:
    """What a transport could not read, e.g. wrong base64: it costs itself alone, like bad media."""

    error: Exception


Content = TextContent | MediaContent | ItemContent | VectorContent | BrokenContent


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch failed, in the words of the error table."""

    reason: str
    message: str
