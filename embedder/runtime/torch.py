"""The reference runtime: torch itself, in float32."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.errors import MissingDependency


def placed(module: torch.nn.Module, device: str) -> torch.nn.Module:
    """Returns a module in eval mode, without gradients, on a device.

    Raises:
        MissingDependency: If the installed torch can't use the device.
    """
    try:
        return module.eval().requires_grad_(False).to(device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise MissingDependency(
            f"the device must be one that the installed torch can use, got {device!r}: {exc}"
        ) from exc


def use_threads(count: int | None) -> None:
    """Gives forward passes of the calling thread so many threads; None leaves torch's choice."""
    # torch's count belongs to the calling thread, and setting it is not free.
    if count is not None and torch.get_num_threads() != count:
        torch.set_num_threads(count)


class TorchRuntime:
    """Runs a module in eval mode, without gradients.

    Args:
        tower: Maps a batch (n, ...) to vectors (n, dim).
        device: A torch device, e.g. "cpu" or "cuda".
        threads: Threads of one forward pass; None leaves torch's own choice.

    Raises:
        MissingDependency: If the installed torch can't use the device.
    """

    name = "torch"
    fidelity = 1.0

    def __init__(
        self, tower: torch.nn.Module, *, device: str = "cpu", threads: int | None = None
    ) -> None:
        self.device = device
        self._threads = threads
        self._tower = placed(tower, device)
        # Batches of convolutions run up to twice as fast on CPUs with channels innermost.
        self._tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim)."""
        use_threads(self._threads)
        with torch.inference_mode():
            vectors = self._tower(torch.from_numpy(batch).to(self.device))
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)
