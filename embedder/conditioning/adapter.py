"""Adapters: from our space to the vectors that a target was trained on, one affine map a head.

`kindred profile fit` makes them (`fitting`), the server reads those of a folder (`installed`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from embedder.base import Vectors
from embedder.conditioning.fitted_file import Kind, read_fitted, write_fitted
from embedder.conditioning.profile import Holds
from embedder.errors import WeightsError

Array = NDArray[np.float32]

KIND = Kind("conditioning adapter")

_TENSORS = ("weights", "offset", "mean", "std", "negative")


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Where one argument of a target comes from.

    Attributes:
        weights: (dim, numbers), of a ridge regression.
        offset: (numbers,).
        shape: Shape of one target, whose numbers these are: (width,) or (tokens, width).
        mean: Mean of the target's numbers over the pairs, (numbers,).
        std: Their standard deviation, (numbers,).
        norm: Mean L2 norm of a target.
        negative: What guidance is measured against, (numbers,); zeros where the target has no own.
    """

    weights: Array
    offset: Array
    shape: tuple[int, ...]
    mean: Array
    std: Array
    norm: float
    negative: Array

    def __call__(self, vectors: Vectors) -> Array:
        """Returns what the unit vectors (n, dim) become, (n, *shape), of any norm."""
        return (vectors @ self.weights + self.offset).reshape(-1, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the maker of an adapter says of it.

    Attributes:
        profile: Id of the target.
        space: Id of the space that it leads from.
        dim: Length of that space's vectors.
        pairs: Pairs that it was fitted to.
        held_out: Pairs that the figures are of, none of which it had seen when they were taken.
        penalty: Of the ridge, as a share of the mean variance of a source's number.
        cosine: Mean cosine of a held-out target and what its source became.
        recall_at_1: Share of held-out pairs whose own target is the nearest of all held-out ones.
        norms: Mean norm of a target, by head.
        made: When, in UTC.
    """

    profile: str
    space: str
    dim: int
    pairs: int
    held_out: int
    penalty: float
    cosine: float
    recall_at_1: float
    norms: Mapping[str, float]
    made: str

    @property
    def id(self) -> str:
        """Names the adapter: the target, the space, and when it was made."""
        return f"{self.profile}@{self.space}@{self.made}"


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A way from one space to one target.

    Attributes:
        card: What it is.
        heads: By what they make: CONDITION, and for targets that take it, POOLED.
    """

    card: Card
    heads: Mapping[Holds, Head]

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all."""
        tensors = {
            f"{held}.{name}": getattr(head, name)
            for held, head in self.heads.items()
            for name in _TENSORS
        }
        shapes = {str(held): head.shape for held, head in self.heads.items()}
        card = {name: value for name, value in asdict(self.card).items() if name != "space"}
        write_fitted(path, KIND, self.card.space, tensors, {"card": card, "shapes": shapes})

    @classmethod
    def load(cls, path: Path, space: str) -> "Adapter":
        """Reads what `save` wrote.

        Args:
            path: The file.
            space: Id of the space of the vectors that it is to be used on.

        Raises:
            WeightsError: If the file is missing, damaged, or of another kind or layout.
            FittedElsewhere: If it was fitted in another space.
        """
        found = read_fitted(path, KIND, space)
        try:
            card = _card(found.config)
            heads = {}
            for held, shape in found.config["shapes"].items():
                arrays: dict[str, Any] = {
                    name: found.tensors[f"{held}.{name}"] for name in _TENSORS
                }
                norm = card.norms[held]
                heads[Holds(held)] = Head(shape=tuple(shape), norm=norm, **arrays)
        except (KeyError, TypeError, ValueError) as exc:
            raise WeightsError(f"{path} must be a file of {KIND.name}: {exc!r}") from exc
        return cls(card, heads)


def read_card(path: Path) -> Card:
    """Reads what the maker of an adapter's file says of it, and none of its tensors.

    Raises:
        WeightsError: If the file is missing, damaged, or of another kind or layout.
    """
    try:
        with safe_open(path, framework="np") as archive:
            config = json.loads((archive.metadata() or {})["config"])
        if (config["kind"], config["format"]) != (KIND.name, KIND.format):
            raise ValueError(config["kind"], config["format"])
        return _card(config)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} must be a file of {KIND.name}: {exc!r}") from exc


def _card(config: Mapping[str, Any]) -> Card:
    return Card(space=config["space"], **config["card"])
