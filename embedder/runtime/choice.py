"""Which runtime a tower gets: the fastest that is installed and true to torch."""

import importlib.util
import logging

from embedder.errors import MissingDependency
from embedder.runtime.base import LEAST_FIDELITY, Placement, Runtime, Tower
from embedder.runtime.fidelity import least_cosine

RUNTIMES = ("openvino", "torch")
"""The fastest first."""

log = logging.getLogger(__name__)


def place(tower: Tower, how: Placement) -> Runtime:
    """Returns what runs a tower.

    OpenVINO gives way to torch where it can't convert the tower, or where its vectors of the probes
    are too unlike; a warning in the log says so.

    Raises:
        MissingDependency: If the stated runtime is not installed, or can't use the device or
            compute in the stated precision.
        WeightsError: If the tower can't be built.
    """
    return (_openvino(tower, how) if _takes_openvino(how) else None) or _torch(tower, how)


def _takes_openvino(how: Placement) -> bool:
    """Says whether OpenVINO is to be tried."""
    if how.runtime not in (None, *RUNTIMES):
        known = " or ".join(RUNTIMES)
        raise MissingDependency(f"the runtime must be {known}, got {how.runtime!r}")
    installed, able = importlib.util.find_spec("openvino") is not None, how.device == "cpu"
    if how.runtime == "openvino" and not installed:
        raise MissingDependency("the runtime openvino must be installed: pip install openvino")
    if how.runtime == "openvino" and not able:
        raise MissingDependency(f"the device must be cpu for openvino, got {how.device!r}")
    return how.runtime != "torch" and installed and able


def _openvino(tower: Tower, how: Placement) -> Runtime | None:
    """Returns the OpenVINO runtime of a tower; None if there is none that is true to torch."""
    try:
        from embedder.runtime.graphs import graph_of
        from embedder.runtime.openvino import OpenVinoRuntime, graph_precision

        graph = graph_of(tower, how.cache, graph_precision(how.precision))
        runtime = OpenVinoRuntime(graph, threads=how.threads)
    except (ImportError, RuntimeError) as exc:
        log.warning("torch runs tower %s, since openvino can't: %s", tower.digest, exc)
        return None
    if runtime.fidelity >= LEAST_FIDELITY:
        return runtime
    log.warning(
        "torch runs tower %s, since openvino's cosine to it is %.5f, and must be %s",
        *(tower.digest, runtime.fidelity, LEAST_FIDELITY),
    )
    return None


def _torch(tower: Tower, how: Placement) -> Runtime:
    from embedder.runtime.torch import TorchRuntime, torch_precision

    precision = torch_precision(how.precision, how.device)
    exact = TorchRuntime(tower.build(), device=how.device, threads=how.threads)
    if precision == "fp32":
        return exact
    probes = tower.probes()
    expected = [exact.run(probe) for probe in probes]
    runtime = TorchRuntime(
        tower.build(), device=how.device, threads=how.threads, precision=precision
    )
    runtime.fidelity = least_cosine(runtime, probes, expected)
    return runtime
