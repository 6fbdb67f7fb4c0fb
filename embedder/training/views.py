"""Random views of training pictures, the same for the same seed and step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import Tensor

from embedder.decode import decode_image
from embedder.features.image import image_input, scaled


@dataclass(frozen=True, slots=True)
class ViewRecipe:
    """How a random view of a picture is cut and coloured.

    Attributes:
        size: Side of the view in pixels.
        area: Smallest and largest share of the picture's area.
        aspect: Largest ratio of the crop's sides, either way round, beside the picture squashed to
            a square.
        jitter: Standard deviation of the random colour matrix and offset; 0 leaves the colours
            alone.
    """

    size: int = 224
    area: tuple[float, float] = (0.4, 1.0)
    aspect: float = 4 / 3
    jitter: float = 0.0


class Pictures:
    """Encoded pictures in memory, dealt out in seeded epochs."""

    def __init__(self, files: Sequence[bytes], *, seed: int) -> None:
        self.files, self.seed = files, seed
        self._epoch, self._order = -1, np.empty(0, dtype=np.int64)

    def indices(self, step: int, count: int) -> NDArray[np.int64]:
        """Returns which pictures a step trains on: `count` of them, each once an epoch."""
        places = np.arange(step * count, (step + 1) * count)
        return np.array([self._place(*divmod(int(place), len(self.files))) for place in places])

    def _place(self, epoch: int, rank: int) -> int:
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch, self._order = epoch, rng.permutation(len(self.files))
        return int(self._order[rank])

    def views(self, indices: NDArray[np.int64], step: int, recipe: ViewRecipe) -> Tensor:
        """Returns one random view of each picture, float32 in [-1, 1], (n, 3, size, size)."""
        rng = np.random.default_rng([self.seed, 1, step])
        stack = [scaled(random_crop(opened(self.files[i]), recipe, rng)) for i in indices]
        views = np.stack(stack)
        if recipe.jitter:
            views = jittered(views, recipe.jitter, rng)
        return torch.from_numpy(views).contiguous(memory_format=torch.channels_last)


def opened(file: bytes) -> PIL.Image.Image:
    """Returns a file's picture as the library decodes it, upright and in RGB."""
    return PIL.Image.fromarray(decode_image(file).pixels)


def whole_view(file: bytes) -> NDArray[np.float32]:
    """Returns the array that the image tower gets of a file when it serves: the whole picture."""
    return image_input(decode_image(file))


def random_crop(
    picture: PIL.Image.Image, recipe: ViewRecipe, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Cuts a random part of a picture, scales it to a square and mirrors it half the time.

    Returns:
        uint8, (size, size, 3).
    """
    area = rng.uniform(*recipe.area)
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(recipe.aspect))
    # Shares of the width and height, not pixels: the tower sees every picture squashed to a square.
    share = np.minimum(1.0, np.sqrt(area) * np.array([stretch, 1.0 / stretch]))
    left, top = rng.uniform(0.0, 1.0 - share)
    width, height = picture.size
    box = (left * width, top * height, (left + share[0]) * width, (top + share[1]) * height)
    view = picture.resize((recipe.size, recipe.size), PIL.Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        view = view.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(view)


def jittered(
    views: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sends each picture's colours (n, 3, h, w) through a random linear map near the identity."""
    count = len(views)
    gain = np.exp(rng.normal(0.0, strength, (count, 1, 1)))
    matrix = gain * (np.eye(3) + rng.normal(0.0, strength / 3, (count, 3, 3)))
    offset = rng.normal(0.0, strength / 2, (count, 1, 1)) + rng.normal(
        0.0, strength / 6, (count, 3, 1)
    )
    flat = views.reshape(count, 3, -1)
    coloured = matrix.astype(np.float32) @ flat + offset.astype(np.float32)
    return np.asarray(np.clip(coloured, -1.0, 1.0).reshape(views.shape), dtype=np.float32)
