"""How a tower runs: the seam between a model family and what computes its forward pass."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """Runs one tower; may be called from several threads.

    Attributes:
        name: As the service reports it, e.g. "torch".
        device: What it runs on, e.g. "cpu".
    """

    name: str
    device: str

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim), for inputs with a batch axis of n."""
