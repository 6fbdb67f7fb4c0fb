"""The velocity field of the prior: what is learnt, read and run without torch.

At time t a point on its way from noise to an image vector has white coordinates x. Around a
Gaussian of mean m and variance s, coordinate by coordinate, it is at e standard deviations, and its
velocity is known in closed form:

    x = t m + a e,    v = m + a' e,    a^2 = (1 - t)^2 + t^2 s,    a' = (t s - (1 - t)) / a

A network adds what no Gaussian knows, sqrt(s) / a * network(e, t, condition), so that

    de/dt = sqrt(s) / a^2 * network(e, t, condition)

and a network that says nothing leaves m + sqrt(s) e at t = 1: ridge regression and a Gaussian
around it, however few the steps. It is an MLP whose layers are scaled, shifted and gated by time
and condition (AdaLN, arXiv:2212.09748), and begins by saying nothing. `embedder.training.prior`
teaches it in torch; a test holds the two together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FREQUENCIES = 2.0 ** np.arange(8, dtype=np.float32) * np.float32(np.pi / 2)
"""Of the sines and cosines that tell time."""

EPSILON = 1e-5
"""Added to variances before a layer is normalised, as torch does."""


@dataclass(frozen=True, slots=True)
class VelocityShape:
    """Sizes of the network.

    Attributes:
        coordinates: White coordinates.
        dim: Length of a condition.
        kinds: Kinds of conditions; one more stands for none.
        width: Of the layers; those inside a block have twice as many units.
        blocks: Residual blocks.
    """

    coordinates: int
    dim: int
    kinds: int = 2
    width: int = 256
    blocks: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Where conditions alone put white coordinates.

    Attributes:
        mean: (n, coordinates), or (coordinates,) for all.
        variance: (coordinates,).
    """

    mean: Array
    variance: Array

    def spread(self, time: float) -> Array:
        """Returns a, the standard deviation of points at one time, (coordinates,)."""
        return np.asarray(np.sqrt((1 - time) ** 2 + time**2 * self.variance), np.float32)

    def spreading(self, time: float) -> Array:
        """Returns a', how fast it grows."""
        return np.asarray((time * self.variance - (1 - time)) / self.spread(time), np.float32)


class Network:
    """The network, in NumPy.

    Args:
        shape: Its sizes.
        tensors: Under the names of the torch module's state.

    Raises:
        KeyError: If a tensor lacks.
    """

    def __init__(self, shape: VelocityShape, tensors: Mapping[str, Array]) -> None:
        self.shape = shape
        self.tensors = {name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}
        self._blocks = [f"blocks.{i}" for i in range(shape.blocks)]

    def silent(self) -> "Network":
        """Returns a network of the same shape that says nothing."""
        said = ("write", "affine")
        return Network(
            self.shape, {n: t * (n.split(".")[0] not in said) for n, t in self.tensors.items()}
        )

    def context(self, conditions: Array, kind: int) -> Array:
        """Returns what the layers know of conditions (n, dim) of one kind; `kinds` is for none."""
        known = self.tensors["kind.weight"][kind]
        if kind == self.shape.kinds:
            return np.broadcast_to(known, (len(conditions), len(known))).copy()
        return np.asarray(self._linear("condition", conditions) + known, np.float32)

    def __call__(self, standard: Array, time: float, context: Array) -> Array:
        """Returns the network's answer at one time, (n, coordinates).

        Args:
            standard: Where the points are, in standard deviations, (n, coordinates).
            time: In [0, 1].
            context: What `context` returned.
        """
        angles = np.float32(time) * FREQUENCIES
        clock = np.concatenate([np.sin(angles), np.cos(angles)])
        known = _silu(self._linear("know", _silu(context + self._linear("time", clock))))
        hidden = self._linear("read", standard)
        for name in self._blocks:
            shift, scale, gate = np.split(self._linear(f"{name}.modulate", known), 3, axis=1)
            inner = _normal(hidden) * (1 + scale) + shift
            inner = _silu(self._linear(f"{name}.inner", inner))
            hidden = hidden + gate * self._linear(f"{name}.outer", inner)
        shift, scale = np.split(self._linear("modulate", known), 2, axis=1)
        offset, gain = np.split(self._linear("affine", known), 2, axis=1)
        written = self._linear("write", _normal(hidden) * (1 + scale) + shift)
        return np.asarray(written + offset + gain * standard, np.float32)

    def _linear(self, name: str, rows: Array) -> Array:
        weights, offset = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return np.asarray(rows @ weights.T + offset, np.float32)


def _silu(x: Array) -> Array:
    return np.asarray(x / (1 + np.exp(-np.clip(x, -80, None))), np.float32)


def _normal(rows: Array) -> Array:
    centred = rows - rows.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + EPSILON), np.float32)
