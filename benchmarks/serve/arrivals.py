"""When requests of an open loop come, and what the best of queues would make of them."""

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Yields the moments of a Poisson process, in seconds from its begin."""
    rng, due = random.Random(seed), 0.0
    while (due := due + rng.expovariate(rate)) < seconds:
        yield due


def waits(due: Sequence[float], service: float) -> NDArray[np.float64]:
    """Returns how long each request waits, shape (len(due),), where each takes as long (Lindley).

    No server whose batches save nothing does better: it is never idle while somebody waits, serves
    in order, and needs the same time for each.

    Args:
        due: When they come, ascending.
        service: Seconds that each takes of the whole machine, 1 / capacity.
    """
    found, free = np.empty(len(due)), 0.0
    for i, moment in enumerate(due):
        found[i] = max(0.0, free - moment)
        free = max(free, moment) + service
    return found
