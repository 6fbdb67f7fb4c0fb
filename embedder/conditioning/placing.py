"""Puts what a target is to listen to into the tensors of its call."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embedder.conditioning.profile import Argument, Axis, Holds, Profile

Array = NDArray[np.float32]
Sides = Mapping[Holds, Array]
"""By what they are: (B, N, *shape of one). Negative ones are missing where there is no guidance."""

_AGAINST = {Holds.CONDITION: Holds.NEGATIVE, Holds.POOLED: Holds.NEGATIVE_POOLED}


def against(what: Holds) -> Holds:
    """Returns what a side is measured against."""
    return _AGAINST[what]


def place(profile: Profile, sides: Sides) -> dict[str, Array]:
    """Returns the tensors of a target's call by name, C-contiguous.

    Args:
        profile: The target; an argument whose side is missing is left out.
        sides: What the tensors hold.
    """
    return {
        argument.name: np.ascontiguousarray(_placed(argument, sides), dtype=np.float32)
        for argument in profile.arguments
        if argument.holds in sides
    }


def _placed(argument: Argument, sides: Sides) -> Array:
    rows = _rows(argument, sides[argument.holds])
    if Axis.BOTH in argument.axes and Holds.NEGATIVE in sides:
        return np.concatenate([_rows(argument, sides[against(argument.holds)]), rows])
    return rows


def _rows(argument: Argument, side: Array) -> Array:
    """Returns (B, N, ...) where vectors are kept apart, elsewhere (B * N, ...)."""
    return side if Axis.VECTORS in argument.axes else side.reshape(-1, *side.shape[2:])
