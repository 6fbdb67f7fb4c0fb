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
from embedder.runtime.tracing import lean_attention, one_thread, plain_attention

_REFUSALS = (
    *(RuntimeError, TypeError, ValueError, LookupError, AttributeError),
    openvino.frontend.GeneralFailure,
    openvino.frontend.InitializationFailure,
    openvino.frontend.NotImplementedFailure,
    openvino.frontend.OpConversionFailure,
    openvino.frontend.OpValidationFailure,
)
"""What is raised where a module does what can't be traced, or a trace what OpenVINO has not."""


def derive(tower: Tower, *precisions: str) -> Graph:
    """Returns the tower's graph in the first precision that is faithful, or else in the last.

    Args:
        tower: What to derive from.
        precisions: What to compute in, "bf16" or "f32"; at least one.

    Returns:
        The graph, whose fidelity may still be too low.

    Raises:
        RuntimeError: If torch or openvino can't convert the tower.
        WeightsError: If the tower can't be built.
    """
    with one_thread():
        module, probes = tower.build().eval().requires_grad_(False), tower.probes()
        model = _convert(module, tower.shape, probes[0])
        reference = TorchRuntime(module)
        expected = [reference.run(probe) for probe in probes]
    for candidate in precisions:
        runtime = OpenVinoRuntime(Graph(model, candidate, np.nan), threads=1)
        fidelity = least_cosine(runtime, probes, expected)
        if fidelity >= LEAST_FIDELITY:
            break
    return Graph(model, candidate, fidelity)


def _convert(module: torch.nn.Module, shape: tuple[int | None, ...], probe: NDArray[Any]) -> Any:  # noqa: ANN401 - an openvino.Model, which has no types
    """Traces a module and reads the trace as an OpenVINO model; its lengths stay variable.

    Raises:
        RuntimeError: If that can't be done.
    """
    try:
        return _converted(module, shape, probe)
    except _REFUSALS as exc:
        raise RuntimeError(f"{type(exc).__name__}: {str(exc).strip()[:500]}") from exc


def _converted(module: torch.nn.Module, shape: tuple[int | None, ...], probe: NDArray[Any]) -> Any:  # noqa: ANN401
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
def _tracing() -> Iterator[None]:
    """Traces in silence.

    Tracing warns that it is deprecated, and of lengths that it takes for constants; whether the
    graph is right for other lengths is for tests to say.
    """
    with plain_attention(), lean_attention(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield
