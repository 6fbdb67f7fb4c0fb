"""A tower's ONNX graph, exported by torch and judged against it."""

import logging
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.runtime.base import Tower
from embedder.runtime.fidelity import least_cosine
from embedder.runtime.onnx import INPUT, OnnxGraph, OnnxRuntime
from embedder.runtime.torch import TorchRuntime
from embedder.runtime.tracing import one_thread, plain_attention


def derive(tower: Tower) -> OnnxGraph:
    """Returns the tower's graph in float32, whose fidelity may still be too low.

    Raises:
        RuntimeError: If torch can't export the tower.
        WeightsError: If the tower can't be built.
    """
    module, probes = tower.build().eval().requires_grad_(False), tower.probes()
    with one_thread():
        # A length of one would be taken for a constant, so the longest probe is the example.
        model = _export(module, tower.shape, max(probes, key=np.size))
        reference = TorchRuntime(module)
        expected = [reference.run(probe) for probe in probes]
    runtime = OnnxRuntime(OnnxGraph(model, np.nan), threads=1)
    return OnnxGraph(model, least_cosine(runtime, probes, expected))


def _export(module: torch.nn.Module, shape: tuple[int | None, ...], probe: NDArray[Any]) -> bytes:
    """Exports a module; its lengths stay variable."""
    example = torch.from_numpy(np.concatenate([probe, probe]))
    lengths = {
        axis: torch.export.Dim.DYNAMIC for axis, length in enumerate(shape) if length is None
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), plain_attention(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecations in torch and onnxscript themselves
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[INPUT],
            dynamic_shapes=(lengths,),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch exported nothing")
    return bytes(program.model_proto.SerializeToString())
