"""How a tower runs: the seam between a model family and what computes its forward pass.

Nothing here imports torch: a tower is built only where a runtime needs it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

LEAST_FIDELITY = 0.9999
"""What a runtime's `fidelity` must be for it to be chosen unasked.

Every vector should have a cosine of 0.999 to torch's, and probes are few: among hundreds of real
sounds and photographs the worst was up to thirty times as far from torch's as the worst probe.
"""


PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""What a forward pass may be asked to compute in.

Not in int8: without calibration (weights alone, or activations as they come) it gave texts of
kindred-mini at most 1.4 times what bf16 gives, pictures and sounds nothing, and sounds a cosine of
0.9986 to 0.9988 to float32, which is refused.
"""


class Runtime(Protocol):
    """Runs one tower; may be called from several threads.

    Attributes:
        name: As the service reports it, e.g. "torch".
        device: What it runs on, e.g. "cpu".
        precision: What it computes in: "fp32", "bf16" or "fp16".
        fidelity: Least cosine of its vectors to those of torch in float32, over the tower's probes.
    """

    name: str
    device: str
    precision: str
    fidelity: float

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim), for inputs with a batch axis of n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and how forward passes run.

    Attributes:
        device: Where towers run, e.g. "cpu" or "cuda".
        threads: Threads of forward passes on the CPU; None leaves the runtime's own choice.
        passes: How many of them may run at a time; runtimes that can have them share the threads.
        runtime: "torch", "openvino" or "onnx"; None picks what is fastest here.
        cache: Folder for what is derived from weights; None keeps nothing, and derives every time.
        cache_bytes: Bytes that may be kept there, but for what is in use.
        precision: One of `PRECISIONS`. "auto" is fp32 for torch on a CPU, what the CPU has fast
            units for under openvino, and on CUDA bf16, or fp16 where that is not supported. It is
            no part of a space: weights and preprocessing say what vectors mean, this says how
            closely they are computed.
        least_fidelity: What has a lower `Runtime.fidelity` is refused, even if it was asked for.
    """

    device: str = "cpu"
    threads: int | None = None
    passes: int = 1
    runtime: str | None = None
    cache: Path | None = None
    cache_bytes: int = 8 * 1024**3
    precision: str = "auto"
    least_fidelity: float = 0.999


AUTOMATIC = Placement()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tower:
    """A tower that is known without being built.

    Attributes:
        digest: Of everything its vectors depend on, fit for a file's name.
        shape: Of its input, batch axis first; None where the length varies.
        build: Builds the module, which maps a batch to vectors (n, dim).
        probes: Makes inputs, each a batch of one, on which runtimes are compared.
    """

    digest: str
    shape: tuple[int | None, ...]
    build: "Callable[[], torch.nn.Module]"
    probes: Callable[[], Sequence[NDArray[Any]]]
