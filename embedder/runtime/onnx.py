"""ONNX Runtime: float32 on CPUs without instructions for bfloat16, faster there than OpenVINO."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.errors import MissingDependency
from embedder.runtime import archive
from embedder.runtime.base import Tower
from embedder.runtime.onnx_import import import_onnxruntime

onnxruntime = import_onnxruntime()

INPUT = "batch"

LAYOUT = 1
"""Version of what a file holds and of how a graph is derived."""


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """A tower as ONNX Runtime runs it.

    Attributes:
        model: An ONNX model of one input and one output, serialized.
        fidelity: Least cosine of its vectors to those of torch in float32, over the tower's probes.
    """

    model: bytes
    fidelity: float


class OnnxRuntime:
    """Runs a graph on the CPU.

    Args:
        graph: What to run.
        threads: Threads of all passes together; None leaves ONNX Runtime's own choice.
    """

    name, device, precision = "onnx", "cpu", "fp32"

    def __init__(self, graph: OnnxGraph, *, threads: int | None = None) -> None:
        self.fidelity = graph.fidelity
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        # Idle threads would spin on cores that decoding and the other towers need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; it warns of what it could not fuse
        self._session: Any = onnxruntime.InferenceSession(
            graph.model, options, providers=["CPUExecutionProvider"]
        )

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """Returns the tower's vectors, shape (n, dim)."""
        return np.asarray(self._session.run(None, {INPUT: batch})[0], dtype=np.float32)


def require_fp32(precision: str) -> None:
    """Refuses what a graph is not computed in.

    Raises:
        MissingDependency: If another precision than float32 is asked for.
    """
    if precision not in ("auto", "fp32"):
        raise MissingDependency(f"the precision must be auto or fp32 for onnx, got {precision!r}")


def graph_of(tower: Tower, cache: Path | None) -> OnnxGraph:
    """Returns the tower's graph from the cache folder, or derives it and keeps it there.

    Args:
        tower: What to compute.
        cache: The folder; None keeps nothing.

    Raises:
        RuntimeError: If torch can't export the tower.
        WeightsError: If the tower can't be built.
    """
    name = f"{tower.digest}-onnxruntime{onnxruntime.__version__}-f32-{LAYOUT}.npz"
    path = archive.folder_of(cache) / name if cache else None
    kept = archive.read(path) if path else None
    if kept:
        return OnnxGraph(kept["model"].tobytes(), float(kept["fidelity"]))
    from embedder.runtime.derive_onnx import derive

    graph = derive(tower)
    if path:
        model = np.frombuffer(graph.model, dtype=np.uint8)
        archive.write(path, {"model": model, "fidelity": np.array(graph.fidelity)})
    return graph
