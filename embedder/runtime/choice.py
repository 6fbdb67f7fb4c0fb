"""Which runtime a tower gets: the fastest that is installed and true to torch."""

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence

from embedder.errors import MissingDependency, Untranslatable
from embedder.runtime import archive
from embedder.runtime.base import LEAST_FIDELITY, Placement, Runtime, Tower
from embedder.runtime.fidelity import least_cosine, require_fidelity

RUNTIMES = ("openvino", "onnx", "torch")
"""What can be asked for by name."""

_NEEDS: Mapping[str, tuple[str, ...]] = {
    "openvino": ("openvino",),
    "onnx": ("onnxruntime", "onnx", "onnxscript"),
}
"""Modules without which a runtime can't be had; the latter two of ONNX derive its graphs."""

_INSTALLS = {"openvino": "pip install openvino", "onnx": 'pip install "kindred[onnx]"'}

log = logging.getLogger(__name__)


def place(tower: Tower, how: Placement) -> Runtime:
    """Returns what runs a tower.

    Unasked, it is OpenVINO where the CPU computes in bfloat16, ONNX Runtime elsewhere if it is
    installed, and torch where neither can convert the tower or its vectors of the probes are too
    unlike; a warning in the log says so.

    Raises:
        MissingDependency: If the stated runtime is not installed, or can't use the device or
            compute in the stated precision.
        Untranslatable: If the stated runtime can't compute what the tower does.
        Unfaithful: If what was asked for computes too unlike torch in float32.
        WeightsError: If the tower can't be built.
    """
    made = (_MAKERS[name](tower, how) for name in _ways(how))
    runtime = next(filter(None, made))
    if how.cache:
        archive.trim(archive.folder_of(how.cache), how.cache_bytes)
    require_fidelity(f"{runtime.name} on tower {tower.digest}", runtime.fidelity, how)
    return runtime


def _ways(how: Placement) -> Sequence[str]:
    """Returns the runtimes to be tried in turn; the last never gives way."""
    if how.runtime not in (None, *RUNTIMES):
        known = " or ".join(RUNTIMES)
        raise MissingDependency(f"the runtime must be {known}, got {how.runtime!r}")
    if how.runtime is not None and how.runtime != "torch":
        _require(how.runtime, how.device)
        return (how.runtime,)
    if how.runtime == "torch" or how.device != "cpu":
        return ("torch",)
    installed = [name for name in _NEEDS if _is_installed(name)]
    if len(installed) == len(_NEEDS) and not _is_fastest_openvino(how.precision):
        installed.reverse()
    return *installed, "torch"


def _require(runtime: str, device: str) -> None:
    if not _is_installed(runtime):
        raise MissingDependency(f"the runtime {runtime} must be installed: {_INSTALLS[runtime]}")
    if device != "cpu":
        raise MissingDependency(f"the device must be cpu for {runtime}, got {device!r}")


def _is_installed(runtime: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _NEEDS[runtime])


def _is_fastest_openvino(precision: str) -> bool:
    """Says whether OpenVINO is to come before ONNX Runtime, which computes in float32 only."""
    try:
        from embedder.runtime.openvino import native_precision
    except ImportError:
        return False
    return precision not in ("auto", "fp32") or (
        precision == "auto" and native_precision() == "bf16"
    )


def _openvino(tower: Tower, how: Placement) -> Runtime | None:
    """Returns the OpenVINO runtime of a tower; None if there is none to be used."""
    try:
        from embedder.runtime.graphs import graph_of
        from embedder.runtime.openvino import OpenVinoRuntime, graph_precision

        asked = graph_precision(how.precision)
        # An asked precision is kept to: whether it is near enough is for `place` to say.
        precisions = (asked, "f32") if how.precision == "auto" else (asked,)
        graph = graph_of(tower, how.cache, *dict.fromkeys(precisions))
        runtime = OpenVinoRuntime(graph, threads=how.threads, passes=how.passes)
        return _unless_unlike(runtime, tower, how)
    except (ImportError, RuntimeError) as exc:
        _give_way("openvino", tower, how, exc)
        return None


def _onnx(tower: Tower, how: Placement) -> Runtime | None:
    """Returns the ONNX runtime of a tower; None if there is none to be used."""
    try:
        from embedder.runtime.onnx import OnnxRuntime, graph_of, require_fp32

        require_fp32(how.precision)
        runtime = OnnxRuntime(graph_of(tower, how.cache), threads=how.threads)
        return _unless_unlike(runtime, tower, how)
    except (ImportError, RuntimeError) as exc:
        _give_way("onnx", tower, how, exc)
        return None


def _give_way(name: str, tower: Tower, how: Placement, why: Exception) -> None:
    """Tells why another runtime runs a tower.

    Raises:
        Untranslatable: If this one was asked for.
    """
    if how.runtime == name:
        raise Untranslatable(
            f"the runtime must be one that can run tower {tower.digest}, and {name} can't: {why}; "
            "auto takes another"
        ) from why
    log.warning("another runtime runs tower %s, since %s can't: %s", tower.digest, name, why)


def _unless_unlike(runtime: Runtime, tower: Tower, how: Placement) -> Runtime | None:
    """Returns a runtime; None if nobody asked for it and it is too unlike torch."""
    if how.runtime is not None or how.precision != "auto" or runtime.fidelity >= LEAST_FIDELITY:
        return runtime
    log.warning(
        "another runtime runs tower %s, since the cosine of %s to torch is %.5f, and must be %s",
        *(tower.digest, runtime.name, runtime.fidelity, LEAST_FIDELITY),
    )
    return None


def _torch(tower: Tower, how: Placement) -> Runtime:
    from embedder.runtime.torch import TorchRuntime, torch_precision

    precision = torch_precision(how.precision, how.device)
    # Passes of torch can't share threads, and wait long for each other's where there are too many.
    threads = how.threads and max(1, how.threads // how.passes)
    exact = TorchRuntime(tower.build(), device=how.device, threads=threads)
    if precision == "fp32":
        return exact
    probes = tower.probes()
    expected = [exact.run(probe) for probe in probes]
    runtime = TorchRuntime(tower.build(), device=how.device, threads=threads, precision=precision)
    runtime.fidelity = least_cosine(runtime, probes, expected)
    return runtime


_MAKERS: Mapping[str, Callable[[Tower, Placement], Runtime | None]] = {
    "openvino": _openvino,
    "onnx": _onnx,
    "torch": _torch,
}
