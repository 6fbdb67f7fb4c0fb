"""Films to what ImageBind's picture tower reads: clips of two frames, seen three times across.

Every step and order of the original, down to how offsets are rounded. It decodes with decord, whose
colours may differ by a rounding from those of FFmpeg.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embedder.media import Video
from embedder.models.imagebind.senses import CLIP_MEAN, CLIP_STD, SIDE

CLIPS, SECONDS, CROPS = 5, 2, 3

_LONGEST = 64
"""How often the short side may go into the long one before a strip's ends are cut."""


def clip_frames(rate: float, count: int) -> list[int]:
    """Returns the first and the last frame of each clip, by number, in order: ten of them."""
    last_start = max(count / rate - SECONDS, 0)
    frames = []
    for clip in range(CLIPS):
        start = last_start * clip / (CLIPS - 1)
        first = min(math.ceil(rate * start), count - 1)
        frames += [first, max(first, min(math.ceil(rate * (start + SECONDS)), count) - 1)]
    return frames


def film(video: Video) -> NDArray[np.float32]:
    """Returns (15, 3, 2, 224, 224): five clips, of each the beginning, middle and end across.

    Where a frame is wanted that the video does not hold, the nearest one is taken.
    """
    wanted = clip_frames(video.rate, video.count)
    here = [int(np.abs(video.numbers - number).argmin()) for number in wanted]
    frames = _scaled(_without_far_ends(video.frames[here]))
    clips = frames.reshape(CLIPS, 2, *frames.shape[1:]).transpose(1, 2)  # (5, 3, 2, height, width)
    views = torch.stack([clips[..., y : y + SIDE, x : x + SIDE] for y, x in _corners(clips)], dim=1)
    return np.ascontiguousarray(views.flatten(0, 1).numpy())


def _scaled(frames: NDArray[np.uint8]) -> Tensor:
    """Returns (n, 3, height, width), the short side 224, normalised as CLIP's pictures are."""
    planes = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float() / 255
    height, width = planes.shape[2:]
    tall, wide = math.floor(height / width * SIDE), math.floor(width / height * SIDE)
    size = (tall, SIDE) if width < height else (SIDE, wide)
    planes = functional.interpolate(planes, size=size, mode="bilinear", align_corners=False)
    return (planes - torch.from_numpy(CLIP_MEAN)) / torch.from_numpy(CLIP_STD)


def _corners(clips: Tensor) -> Sequence[tuple[int, int]]:
    """Returns the top left corners of the views: at 0, in the middle, at the end of the long side.

    The middle is rounded up.
    """
    down, right = (side - SIDE for side in clips.shape[-2:])
    if down > right:
        return [(y, math.ceil(right / 2)) for y in (0, math.ceil(down / 2), down)]
    return [(math.ceil(down / 2), x) for x in (0, math.ceil(right / 2), right)]


def _without_far_ends(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cuts what lies far from the middle of a strip: enlarged, it would need gigabytes."""
    height, width = frames.shape[1:3]
    most = _LONGEST * min(width, height)
    top, left = max(height - most, 0) // 2, max(width - most, 0) // 2
    return frames[:, top : height - top, left : width - left]
