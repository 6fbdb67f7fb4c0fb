"""Pictures as sums of waves: the cosine transform of their brightness and two colour differences.

Waves of photos are nearly uncorrelated, and the shorter they are the weaker (Field 1987), so that
their deviations alone make a good Gaussian model of pictures.
"""

import math

import torch
from torch import Tensor

COLOURS = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, 0.0, -(2**-0.5)),
    (6**-0.5, -2 * 6**-0.5, 6**-0.5),
)
"""Rows: brightness and two differences, orthonormal, of red, green and blue (Ohta et al. 1980)."""

LEAST = 1e-3
"""Deviations are at least this, so that no wave is taken to be silent."""


def into_waves(pictures: Tensor) -> Tensor:
    """Returns the coefficients of orthonormal waves, (n, 3, side, side) for pictures of that shape.

    Gaussian noise of variance 1 has coefficients of variance 1.
    """
    cosines, colours = _basis(pictures)
    return cosines @ torch.einsum("kc,nchw->nkhw", colours, pictures) @ cosines.T


def out_of_waves(waves: Tensor) -> Tensor:
    """Returns the pictures of `into_waves`."""
    cosines, colours = _basis(waves)
    return torch.einsum("kc,nkhw->nchw", colours, cosines.T @ waves @ cosines)


def deviations(pictures: Tensor) -> Tensor:
    """Returns the root mean square of each wave over pictures, (3, side, side)."""
    return into_waves(pictures).square().mean(0).sqrt().clamp(min=LEAST)


def pooled(spectrum: Tensor, side: int) -> Tensor:
    """Returns the deviations of pictures after means over squares, repeatedly of 2 x 2 pixels.

    Args:
        spectrum: Deviations of the pictures' uncorrelated waves, (3, size, size).
        side: Of the smaller pictures: size, size / 2, size / 4, ...
    """
    while (size := spectrum.shape[-1]) > side:
        # The mean of neighbours keeps cos(pi u / 2 size) of wave u, and folds wave size - u on it.
        angles = math.pi * torch.arange(size // 2, device=spectrum.device) / (2 * size)
        kept, folded = angles.cos().square() / 2, angles.sin().square() / 2
        power = spectrum.square()
        for axis in (1, 2):
            weights = (-1, 1) if axis == 1 else (1, -1)
            low = power.narrow(axis, 0, size // 2)
            high = power.roll(-1, axis).flip(axis).narrow(axis, 0, size // 2)
            power = kept.view(weights) * low + folded.view(weights) * high
        spectrum = power.sqrt()
    return spectrum


def _basis(like: Tensor) -> tuple[Tensor, Tensor]:
    """Returns orthonormal cosines (side, side), a row a wave (DCT-II), and the colours."""
    side = like.shape[-1]
    place = torch.arange(side, device=like.device, dtype=like.dtype)
    cosines = torch.cos(math.pi * place[:, None] * (place + 0.5) / side) * math.sqrt(2 / side)
    cosines[0] *= math.sqrt(0.5)
    return cosines, torch.tensor(COLOURS, device=like.device, dtype=like.dtype)
