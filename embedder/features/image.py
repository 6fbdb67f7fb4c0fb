"""Pictures -> the image tower's input, with NumPy and Pillow alone."""

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from embedder.media import Image, Video

SIZE = 224
"""Side of the tower's square input, in pixels."""


def image_input(image: Image) -> NDArray[np.float32]:
    """Returns the whole picture squashed to a square, float32 in [-1, 1], shape (3, SIZE, SIZE).

    Squashing keeps everything in view, where a centre crop would lose the sides of a wide photo.
    The resampling is Pillow's bicubic filter (antialiased when shrinking), so it is the same on
    every machine.
    """
    return scaled(squash(image.pixels))


def reduced(media: Image | Video) -> Image | Video:
    """Returns pictures squashed, where that makes them smaller; their inputs stay the same."""
    if isinstance(media, Image):
        return Image(squash(media.pixels)) if _is_large(media.pixels) else media
    if not _is_large(media.frames[0]):
        return media
    frames = np.stack([squash(frame) for frame in media.frames])
    return Video(frames, media.numbers, media.count, media.rate)


def _is_large(pixels: NDArray[np.uint8]) -> bool:
    return bool(pixels.shape[0] * pixels.shape[1] > SIZE * SIZE)


def squash(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resizes (height, width, 3) to (SIZE, SIZE, 3) without keeping the aspect ratio."""
    picture = PIL.Image.fromarray(pixels)
    return np.asarray(picture.resize((SIZE, SIZE), PIL.Image.Resampling.BICUBIC))


def scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Maps uint8 (height, width, 3) to float32 (3, height, width): 0..255 becomes -1..1."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
    planes /= np.float32(127.5)
    planes -= np.float32(1.0)
    return planes
