"""OpenVINO: fused graphs on the CPU, in bfloat16 where the CPU has instructions for it.

In bfloat16 a vector comes out the same to the last bit in every batch, at every padding and with
every number of threads, but for one text in some three thousand, which is rounded otherwise in some
batches: among 200,000 no number moved by more than 0.0009, and no cosine fell below 0.9999. In
float32 vectors move by about 1e-7.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.errors import MissingDependency
from embedder.runtime.openvino_import import core, import_openvino

openvino = import_openvino()


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A tower as OpenVINO runs it.

    Attributes:
        model: An `openvino.Model` of one input and one output.
        precision: What it computes in, "bf16" or "f32".
        fidelity: Least cosine of its vectors to those of torch in float32, over the tower's probes.
    """

    model: Any
    precision: str
    fidelity: float


class OpenVinoRuntime:
    """Runs a graph on the CPU.

    A pass that begins alone has the threads of all, so that a single client waits half as long;
    passes beside each other have their own, and wait for nobody at every operation.

    Args:
        graph: What to run.
        threads: Threads of all passes together; None leaves OpenVINO's own choice.
        passes: How many may run at a time; others wait.
    """

    device = "cpu"

    def __init__(self, graph: Graph, *, threads: int | None = None, passes: int = 1) -> None:
        self.name = f"openvino {graph.precision}"
        self.precision = "bf16" if graph.precision == "bf16" else "fp32"
        self.fidelity = graph.fidelity
        self._alone = _Compiled(graph, threads, 1)
        self._beside = _soon(partial(_Compiled, graph, threads, passes)) if passes > 1 else None
        self._lock, self._running = threading.Lock(), 0

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim)."""
        with self._lock:
            beside = self._beside if self._running else None
            self._running += 1
        compiled = beside.result() if beside and beside.done() else self._alone
        try:
            return compiled.run(batch)
        finally:
            with self._lock:
                self._running -= 1


class _Compiled:
    """A graph, made ready for so many passes at a time, which share so many threads."""

    def __init__(self, graph: Graph, threads: int | None, passes: int) -> None:
        options = {
            "INFERENCE_PRECISION_HINT": graph.precision,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": passes,
            # Two pinned processes would share two cores while others idle.
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._model = core().compile_model(graph.model, "CPU", options)
        self._idle: deque[Any] = deque()

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        # A request holds the buffers of one pass, so no two threads may share one.
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._model.create_infer_request()
        try:
            request.infer({0: batch}, share_inputs=True)
            return np.array(request.get_output_tensor().data, dtype=np.float32)
        finally:
            self._idle.append(request)


def _soon(make: Callable[[], _Compiled]) -> Future[_Compiled]:
    """Returns what is being made in a thread: a start need not wait for what only company uses."""
    thread = ThreadPoolExecutor(max_workers=1)
    coming = thread.submit(make)
    thread.shutdown(wait=False)
    return coming


def graph_precision(asked: str) -> str:
    """Returns what a graph computes in, "bf16" or "f32", see `Placement.precision`.

    Raises:
        MissingDependency: If the CPU has no instructions for what was asked.
    """
    native = native_precision()
    known = {"auto": native, "fp32": "f32"} | ({"bf16": native} if native == "bf16" else {})
    if asked not in known:
        raise MissingDependency(
            f"the precision must be {', '.join(known)} for openvino on this CPU, got {asked!r}"
        )
    return known[asked]


def native_precision() -> str:
    """Returns the fastest precision that this CPU computes in natively, "bf16" or "f32"."""
    capabilities = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in capabilities else "f32"
