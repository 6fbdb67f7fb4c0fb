"""Reads ImageBind's checkpoint: a bare state dict, every name and shape as published."""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from embedder.errors import WeightsError
from embedder.models.imagebind.shape import HUGE, ImageBindShape
from embedder.models.imagebind.tower import Towers

_SHOWN = 5
"""Names that an error lists of each kind."""


def load_towers(path: Path, shape: ImageBindShape = HUGE) -> Towers:
    """Returns the towers with the weights of a checkpoint, which stay mapped from the file.

    Raises:
        WeightsError: If the file is missing, is no state dict, or if a name is unknown, missing,
            or of another shape; the message names them.
    """
    state = _read(path)
    with torch.device("meta"):
        towers = Towers(shape)
    _check(path, state, towers.state_dict())
    towers.load_state_dict(state, strict=True, assign=True)
    return towers.eval().requires_grad_(False)


def _read(path: Path) -> Mapping[str, Tensor]:
    """Reads tensors and nothing else: a checkpoint that would run code is refused."""
    if not path.is_file():
        raise WeightsError(f"the checkpoint must be a file, got {path}")
    try:
        # Only files of torch's present format, which are zip archives, can be mapped.
        state = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as exc:
        raise WeightsError(f"{path.name} must be a checkpoint of tensors, got {exc}") from exc
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise WeightsError(f"{path.name} must hold a state dict, got {type(state).__name__}")
    return state


def _check(path: Path, state: Mapping[str, Tensor], known: Mapping[str, Tensor]) -> None:
    misshapen = (
        f"{name} of shape {tuple(state[name].shape)} instead of {tuple(known[name].shape)}"
        for name in known
        if name in state and state[name].shape != known[name].shape
    )
    faults = {
        "unknown": sorted(set(state) - set(known)),
        "missing": sorted(set(known) - set(state)),
        "misshapen": list(misshapen),
    }
    told = "; ".join(f"{kind}: {_list(names)}" for kind, names in faults.items() if names)
    if told:
        raise WeightsError(f"{path.name} must have the names and shapes of ImageBind; {told}")


def _list(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
