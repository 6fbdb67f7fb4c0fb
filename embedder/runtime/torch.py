"""The reference runtime: torch itself, exact in float32."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.errors import MissingDependency
from embedder.runtime.base import PRECISIONS

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def torch_precision(asked: str, device: str) -> str:
    """Returns what torch computes in on a device, see `Placement.precision`.

    Raises:
        MissingDependency: If it is no precision, or one that the device can't compute in.
    """
    if asked not in PRECISIONS:
        raise MissingDependency(
            f"the precision must be one of {', '.join(PRECISIONS)}; got {asked!r}"
        )
    on_cuda = device.startswith("cuda")
    has_bf16 = not on_cuda or (torch.cuda.is_available() and torch.cuda.is_bf16_supported())
    if asked == "auto":
        return "fp32" if not on_cuda else "bf16" if has_bf16 else "fp16"
    if asked == "fp16" and device == "cpu":
        raise MissingDependency("the precision fp16 needs a GPU; on a cpu it must be fp32 or bf16")
    if asked == "bf16" and not has_bf16:
        raise MissingDependency(f"the precision bf16 needs a newer GPU than {device}: take fp16")
    return asked


def placed(module: torch.nn.Module, device: str, precision: str = "fp32") -> torch.nn.Module:
    """Returns a module in eval mode, without gradients, on a device, its weights in a precision.

    Raises:
        MissingDependency: If the installed torch can't use the device.
    """
    try:
        return module.eval().requires_grad_(False).to(device, _DTYPES[precision])
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise MissingDependency(
            f"the device must be one that the installed torch can use, got {device!r}: {exc}"
        ) from exc


def entered(batch: NDArray[Any], device: str, precision: str) -> torch.Tensor:
    """Returns a batch on a device; floats in a precision, ids as they are."""
    x = torch.from_numpy(batch).to(device)
    return x.to(_DTYPES[precision]) if x.is_floating_point() else x


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
        precision: What to compute in, "fp32", "bf16" or "fp16".

    Raises:
        MissingDependency: If the installed torch can't use the device.
    """

    name = "torch"
    fidelity = 1.0

    def __init__(
        self,
        tower: torch.nn.Module,
        *,
        device: str = "cpu",
        threads: int | None = None,
        precision: str = "fp32",
    ) -> None:
        self.device, self.precision = device, precision
        self._threads = threads
        self._tower = placed(tower, device, precision)
        # Batches of convolutions run up to twice as fast on CPUs with channels innermost.
        self._tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim)."""
        use_threads(self._threads)
        with torch.inference_mode():
            vectors = self._tower(entered(batch, self.device, self.precision))
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)
