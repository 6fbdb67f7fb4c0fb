"""How true a runtime is to torch in float32, and what happens if it is not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.errors import Unfaithful
from embedder.runtime.base import Placement, Runtime


def least_cosine(
    runtime: Runtime, probes: Sequence[NDArray[Any]], expected: Sequence[NDArray[np.float32]]
) -> float:
    """Returns the least cosine of a runtime's vectors to the expected ones."""
    found = np.concatenate([runtime.run(probe) for probe in probes])
    return least_of(found, np.concatenate(expected))


def least_of(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Returns the least cosine of vectors to their counterparts, both (n, dim)."""
    ours, theirs = found.astype(np.float64), wanted.astype(np.float64)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / norms).min())


def require_fidelity(what: str, fidelity: float, how: Placement) -> None:
    """Refuses what computes too unlike torch in float32.

    Args:
        what: Its name, for the error.
        fidelity: Least cosine of its vectors to those of torch in float32.
        how: Says what is enough.

    Raises:
        Unfaithful: If the cosine is too low, or is not a number.
    """
    if not fidelity >= how.least_fidelity:
        raise Unfaithful(
            f"the least cosine to torch in float32 must be {how.least_fidelity} or more, got "
            f"{fidelity:.5f} from {what}: take another runtime or precision, or allow it knowingly "
            "with a lower least_fidelity"
        )
