"""A tower's graph, derived through torch and judged against it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.runtime.base import LEAST_FIDELITY, Tower
from embedder.runtime.fidelity import least_cosine
from embedder.runtime.openvino import Graph, OpenVinoRuntime, openvino
from embedder.runtime.torch import TorchRuntime


def derive(tower: Tower, precision: str) -> Graph:
    """Returns the tower's graph in the stated precision, or in float32 where that is unfaithful.

    Args:
        tower: What to derive from.
        precision: What to compute in, "bf16" or "f32".

    Returns:
        The graph, whose fidelity may still be too low.

    Raises:
        RuntimeError: If torch or openvino can't convert the tower.
        WeightsError: If the tower can't be built.
    """
    module, probes = tower.build().eval().requires_grad_(False), tower.probes()
    with _one_thread():
        model = _convert(module, tower.shape, probes[0])
        reference = TorchRuntime(module)
        expected = [reference.run(probe) for probe in probes]
    for candidate in dict.fromkeys((precision, "f32")):
        runtime = OpenVinoRuntime(Graph(model, candidate, np.nan), threads=1)
        fidelity = least_cosine(runtime, probes, expected)
        if fidelity >= LEAST_FIDELITY:
            break
    return Graph(model, candidate, fidelity)


def _convert(module: torch.nn.Module, shape: tuple[int | None, ...], probe: NDArray[Any]) -> Any:  # noqa: ANN401 - an openvino.Model, which has no types
    """Traces a module and reads the trace as an OpenVINO model; its lengths stay variable."""
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.from_numpy(np.concatenate([probe, probe]))
    with torch.inference_mode(), _tracing():
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(traced)
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    lengths = [-1 if length is None else length for length in shape]
    model.inputs[0].get_node().set_partial_shape(openvino.PartialShape(lengths))
    model.validate_nodes_and_infer_types()
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps torch to one thread.

    Single items gain little from more, and on a busy machine threads wait for each other at every
    operation, which was seen to take sixty times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _tracing() -> Iterator[None]:
    """Keeps torch from fusing attention into one operation that OpenVINO doesn't know.

    Tracing warns that it is deprecated, and of lengths that it takes for constants; whether the
    graph is right for other lengths is for tests to say.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
