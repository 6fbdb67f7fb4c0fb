"""The file of a space's bridges: `kindred-mini.bridges.safetensors` beside the weights.

Tensors, float16: `mean.MODALITY`; `line.MODALITY.weights` and `.offset`; and of the prior, if there
is one, `whitening.mean`, `.there` and `.back`, `variance.MODALITY` and `network.NAME`. The header
has the network's sizes and the number by which it knows each modality.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace
from embedder.conditioning.bridge import Bridges, Fitted
from embedder.conditioning.fitted_file import FittedFile, Kind, Tensors, read_fitted, write_fitted
from embedder.conditioning.line import Line
from embedder.conditioning.pca import Whitening
from embedder.conditioning.prior import Prior
from embedder.conditioning.velocity import Network, VelocityShape
from embedder.errors import FittedElsewhere, WeightsError
from embedder.media import Modality

Array = NDArray[np.float32]

BUNDLED = Path(__file__).parent.parent / "weights" / "kindred-mini.bridges.safetensors"
KIND = Kind("bridges")


def save_bridges(bridges: Bridges, space: EmbeddingSpace, path: Path) -> None:
    """Writes what was fitted in a space, whole or not at all.

    Args:
        bridges: What was fitted.
        space: Where.
        path: The file.
    """
    fitted, config = bridges.fitted, dict[str, Any]()
    tensors = {f"mean.{m}": mean for m, mean in fitted.means.items()}
    tensors |= {
        f"line.{m}.{k}": v for m, line in fitted.lines.items() for k, v in asdict(line).items()
    }
    if fitted.prior:
        prior = fitted.prior
        tensors |= {f"whitening.{name}": part for name, part in asdict(prior.whitening).items()}
        tensors |= {f"variance.{m}": variance for m, variance in prior.variances.items()}
        tensors |= {f"network.{name}": part for name, part in prior.network.tensors.items()}
        config = {"network": asdict(prior.network.shape), "kinds": dict(prior.kinds)}
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    write_fitted(path, KIND, space.id, half, config)


def load_bridges(space: EmbeddingSpace, path: Path = BUNDLED) -> Bridges:
    """Reads the bridges that were fitted in a space.

    Raises:
        WeightsError: If the file is missing or damaged.
        FittedElsewhere: If they were fitted in another space.
    """
    file = read_fitted(path, KIND, space.id)
    try:
        return Bridges(_fitted(file))
    except (KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} must hold every part of the bridges, got {exc!r}") from exc


def find_bridges(space: EmbeddingSpace, path: Path = BUNDLED) -> Bridges:
    """Returns the bridges of a file if they belong to this space, or else without anything fitted.

    Raises:
        WeightsError: If the file is damaged.
    """
    if not path.exists():
        return Bridges()
    try:
        return load_bridges(space, path) if path.exists() else Bridges()
    except FittedElsewhere:
        return Bridges()


def _fitted(file: FittedFile) -> Fitted:
    lines = {m: Line(**part) for m in Modality if (part := _part(f"line.{m}", file.tensors))}
    prior = _prior(file, lines) if "network" in file.config else None
    return Fitted(_modalities("mean", file.tensors), lines, prior)


def _prior(file: FittedFile, lines: Mapping[Modality, Line]) -> Prior:
    variances = _modalities("variance", file.tensors)
    shape = VelocityShape(**file.config["network"])
    return Prior(
        whitening=Whitening(**_part("whitening", file.tensors)),
        lines={modality: lines[modality] for modality in variances},
        variances=variances,
        kinds={Modality(name): int(kind) for name, kind in file.config["kinds"].items()},
        network=Network(shape, _part("network", file.tensors)),
    )


def _modalities(name: str, tensors: Tensors) -> dict[Modality, Array]:
    return {Modality(modality): part for modality, part in _part(name, tensors).items()}


def _part(name: str, tensors: Tensors) -> dict[str, Array]:
    """Returns the tensors of one prefix, without it, in single precision."""
    begin = f"{name}."
    return {
        key.removeprefix(begin): tensor.astype(np.float32)
        for key, tensor in tensors.items()
        if key.startswith(begin)
    }
