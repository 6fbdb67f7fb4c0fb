"""A neural spline flow (Durkan et al. 2019, arXiv:1906.04032), by zuko; the extra `density`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.errors import MissingDependency

if TYPE_CHECKING:
    import torch
    from zuko.flows import NSF

Array = NDArray[np.float32]

_CHUNK = 4096
"""Rows of one pass: memory stays bounded."""


@dataclass(frozen=True, slots=True)
class FlowRecipe:
    """The numbers of a flow and of its fit.

    Attributes:
        transforms: Autoregressive spline transforms, the order of coordinates reversed in turn.
        hidden: Width of the two hidden layers that say a transform's splines.
        bins: Pieces of a spline.
        batch: Vectors a step.
        rate: Adam's learning rate.
        decay: Weight decay.
        steps: Steps at most.
        check_every: Steps between two looks at vectors that are not fitted to.
        patience: Looks without an improvement after which the fit ends.
    """

    transforms: int = 2
    hidden: int = 64
    bins: int = 8
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-4
    steps: int = 500
    check_every: int = 25
    patience: int = 4


class Flow:
    """A density of white coordinates that starts as the standard normal and learns from there.

    Args:
        dim: Coordinates.
        recipe: The numbers.

    Raises:
        MissingDependency: If zuko is not installed.
    """

    def __init__(self, dim: int, recipe: FlowRecipe) -> None:
        self.recipe = recipe
        self._model = _model(dim, recipe)

    @classmethod
    def fit(cls, white: Array, watched: Array, recipe: FlowRecipe, seed: int) -> "Flow":
        """Fits by maximum likelihood and keeps what `watched` likes best.

        Args:
            white: White coordinates to fit to, (n, k).
            watched: Others that say when to stop, (m, k).
            recipe: The numbers.
            seed: Same seed, coordinates and machine: same flow.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            flow = cls(white.shape[1], recipe)
            _descend(flow._model, torch.from_numpy(white), torch.from_numpy(watched), recipe)
        return flow

    def log_density(self, white: Array) -> Array:
        """Returns log p of each row of white coordinates in nats, (n,)."""
        import torch

        flow = self._model()
        with torch.no_grad():
            rows = torch.from_numpy(white)
            parts = [flow.log_prob(rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK)]
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    def tensors(self) -> dict[str, Array]:
        """Returns the parameters by name."""
        return {n: np.asarray(p.detach().numpy()) for n, p in self._model.named_parameters()}

    @classmethod
    def of(cls, tensors: Mapping[str, Array], dim: int, recipe: FlowRecipe) -> "Flow":
        """Returns the flow of parameters that `tensors` told.

        Raises:
            KeyError: If there are others.
        """
        import torch

        flow = cls(dim, recipe)
        names = dict(flow._model.named_parameters())
        if names.keys() != tensors.keys():
            raise KeyError(f"a flow must have {sorted(names)}, got {sorted(tensors)}")
        with torch.no_grad():
            for name, parameter in names.items():
                parameter.copy_(torch.from_numpy(tensors[name]))
        return flow


def _model(dim: int, recipe: FlowRecipe) -> "NSF":
    """Returns a flow that is the standard normal: a spline of zero parameters is the identity."""
    try:
        from zuko.flows import NSF
    except ModuleNotFoundError as exc:
        raise MissingDependency(
            "a flow needs zuko, which is not installed: pip install 'kindred[density]'"
        ) from exc
    import torch

    model = NSF(
        dim, transforms=recipe.transforms, bins=recipe.bins, hidden_features=[recipe.hidden] * 2
    )
    with torch.no_grad():
        for transform in model.transform.transforms:
            for parameter in transform.hyper[-1].parameters():
                parameter.zero_()
    return model


def _descend(
    model: "NSF", white: "torch.Tensor", watched: "torch.Tensor", recipe: FlowRecipe
) -> None:
    """Fits in place; leaves the parameters of the best look."""
    import torch

    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    best, kept, waited = -float("inf"), _copy(model), 0
    for step in range(recipe.steps + 1):
        if step % recipe.check_every == 0:
            with torch.no_grad():
                likelihood = float(model().log_prob(watched).mean())
            waited = 0 if likelihood > best else waited + 1
            if likelihood > best:
                best, kept = likelihood, _copy(model)
            if waited >= recipe.patience:
                break
        loss = -model().log_prob(white[torch.randint(len(white), (recipe.batch,))]).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.load_state_dict(kept)


def _copy(model: "NSF") -> "dict[str, torch.Tensor]":
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
