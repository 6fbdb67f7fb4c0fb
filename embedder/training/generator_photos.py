"""Photos as the generator sees them: small squares, and the vectors that are to call them up."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from embedder.base import Embedder, Vectors
from embedder.decode import decode_image
from embedder.media import Image
from embedder.training.shards import ShardItem, read_media
from embedder.training.targets import save_arrays

logger = logging.getLogger(__name__)

_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """n pictures and their vectors.

    Attributes:
        keys: Which picture each row is of.
        pixels: uint8, (n, size, size, 3), each picture squashed to a square as the tower sees it.
        vectors: Their unit vectors, (n, dim).
        space: Id of the vectors' space.
    """

    keys: NDArray[np.str_]
    pixels: NDArray[np.uint8]
    vectors: Vectors
    space: str

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, chosen: NDArray[np.generic]) -> "Photos":
        """Returns some of the pictures: indices or a mask."""
        return Photos(
            self.keys[chosen], self.pixels[chosen], self.vectors[chosen], space=self.space
        )


def cached_photos(items: Sequence[ShardItem], embedder: Embedder, size: int, path: Path) -> Photos:
    """Returns the pictures of items, from the first call on: of the same items, space and size."""
    if path.exists() and (kept := read_photos(path)) is not None:
        wanted = ([item.key for item in items], embedder.space.id, size)
        if (kept.keys.tolist(), kept.space, kept.pixels.shape[1]) == wanted:
            return kept
    photos = _embedded(items, embedder, size)
    arrays: dict[str, NDArray[np.generic]] = {
        "keys": photos.keys,
        "pixels": photos.pixels,
        "vectors": photos.vectors,
        "space": np.array(photos.space),
    }
    save_arrays(path, arrays)
    return photos


def read_photos(path: Path) -> Photos:
    """Reads what `cached_photos` wrote."""
    with np.load(path) as arrays:
        return Photos(
            arrays["keys"], arrays["pixels"], arrays["vectors"], space=str(arrays["space"])
        )


def squared(picture: Image, size: int) -> NDArray[np.uint8]:
    """Returns a picture squashed to (size, size, 3)."""
    whole = PIL.Image.fromarray(picture.pixels)
    return np.asarray(whole.resize((size, size), PIL.Image.Resampling.BICUBIC))


def _embedded(items: Sequence[ShardItem], embedder: Embedder, size: int) -> Photos:
    pixels = np.empty((len(items), size, size, 3), dtype=np.uint8)
    vectors = np.empty((len(items), embedder.space.dim), dtype=np.float32)
    pictures = (decode_image(media) for media in read_media(items))
    for at, batch in _batches(pictures):
        pixels[at : at + len(batch)] = [squared(picture, size) for picture in batch]
        vectors[at : at + len(batch)] = embedder.embed(batch)
        if at % (32 * _BATCH) == 0:
            logger.info("the generator's photos: %d of %d", at, len(items))
    keys = np.array([item.key for item in items])
    return Photos(keys, pixels, vectors, space=embedder.space.id)


def _batches(pictures: Iterator[Image]) -> Iterator[tuple[int, list[Image]]]:
    at = 0
    while batch := list(islice(pictures, _BATCH)):
        yield at, batch
        at += len(batch)
