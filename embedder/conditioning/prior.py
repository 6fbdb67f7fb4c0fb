"""The prior: samples of p(image vector | text or sound vector). NumPy alone.

Conditional flow matching (Lipman et al. 2023, arXiv:2210.02747) in white coordinates of the
pictures' principal components: a velocity field carries noise to image vectors along an ordinary
differential equation, which is solved in a few steps. `embedder.training.prior` teaches it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors
from embedder.errors import ConditioningError
from embedder.media import Modality

Array = NDArray[np.float32]

MOST_STEPS, MOST_CANDIDATES = 1000, 256


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample.

    Attributes:
        steps: Steps of the differential equation's solver.
        guidance: 1 samples as the prior learnt; more leans towards the condition, at the price of
            variety (Ho and Salimans 2022, arXiv:2207.12598).
        candidates: Samples drawn for each vector, of which the one is kept that has the highest dot
            product with the linear bridge's answer.
        seed: The same seed, vectors and machine give the same samples, bit by bit.
    """

    steps: int = 10
    guidance: float = 1.0
    candidates: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConditioningError: If one is out of its range.
        """
        if not 1 <= self.steps <= MOST_STEPS:
            raise ConditioningError(f"steps must be in 1..{MOST_STEPS}, got {self.steps}")
        if not 0.0 <= self.guidance <= 20.0:
            raise ConditioningError(f"guidance must be in [0, 20], got {self.guidance}")
        if not 1 <= self.candidates <= MOST_CANDIDATES:
            raise ConditioningError(
                f"candidates must be in 1..{MOST_CANDIDATES}, got {self.candidates}"
            )
        if self.seed < 0:
            raise ConditioningError(f"seed must not be negative, got {self.seed}")


class Prior:
    """Samples image vectors that go with text or sound vectors.

    Attributes:
        modalities: What it takes as a condition.
    """

    modalities: frozenset[Modality]

    def sample(self, conditions: Vectors, modality: Modality, how: Sampling) -> Vectors:
        """Returns one unit image vector a condition, (n, dim); each has its own noise."""
        raise NotImplementedError
