"""How true a runtime is to another one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.runtime.base import Runtime


def least_cosine(
    runtime: Runtime, probes: Sequence[NDArray[Any]], expected: Sequence[NDArray[np.float32]]
) -> float:
    """Returns the least cosine of a runtime's vectors to the expected ones."""
    found = np.concatenate([runtime.run(probe) for probe in probes]).astype(np.float64)
    wanted = np.concatenate(expected).astype(np.float64)
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(((found * wanted).sum(axis=1) / norms).min())
