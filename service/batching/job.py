"""What goes through the queue: orders, and the jobs that they wait for."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.base import Prepared, Treatment
from embedder.media import Media, Modality
from service.errors import DeadlineExceeded
from service.terms import Priority, Terms, Transport

Load = Callable[[], Media]
"""Decodes one item; runs in a thread and may raise."""

BATCH_COST: Mapping[Modality, int] = {
    Modality.TEXT: 4096,
    Modality.IMAGE: 32,
    Modality.AUDIO: 320,
}
"""Most work in one forward pass, in the unit of `Prepared.cost`: it bounds memory and time."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one item spent in each stage; `began` is its forward pass, a `perf_counter`."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0
    began: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A unit vector, shape (dim,), and how it came about; `cost` as in `Prepared.cost`."""

    vector: NDArray[np.float32]
    modality: Modality
    treatment: Treatment = field(default_factory=Treatment)
    stages: Stages = Stages()
    cost: int = 0


Outcome = Encoded | BaseException
"""A vector, or what went wrong."""


class Order:
    """What one request waits for: an outcome for each of its items. Belongs to its event loop.

    Args:
        size: How many items.
        terms: How urgent it is, and until when.
    """

    def __init__(self, size: int, terms: Terms) -> None:
        self.terms = terms
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes: list[Outcome | None] = [None] * size
        self._missing = size
        if not size:
            self.finished.set_result(None)

    def fill(self, index: int, outcome: Outcome) -> None:
        """Takes the outcome of one item; the last one finishes the order."""
        self._outcomes[index] = outcome
        self._missing -= 1
        if not self._missing and not self.finished.done():
            self.finished.set_result(None)

    def give_up(self, seconds: float) -> None:
        """Fails the order after so long, unless it is finished."""
        if not self.finished.done():
            late = DeadlineExceeded(f"not embedded within {seconds:g} s; dropped")
            self.finished.set_exception(late)

    def outcomes(self) -> list[Outcome]:
        """Returns the outcome of each item, once the order is finished."""
        return [each for each in self._outcomes if each is not None]


@dataclass(slots=True, eq=False)
class Job:
    """One item on its way to a vector, and the orders that wait for it.

    Attributes:
        load: Decodes it.
        caller: Whose share it takes.
        priority: Which lane it takes.
        transport: What the request that brought it came by.
        is_light: Whether to prepare it takes less than to wake a thread.
        key: What makes another item the same; None if that is not known.
        waiting: Orders, and the place of the item in each.
        kind: What it may share a forward pass with; None while it is not decoded.
        cost: Its part of a full forward pass; before it is decoded, every item counts the same.
        since: When it began to wait for its stage, by `time.perf_counter`.
        decode: Seconds that decoding took.
        prepared: What the model takes, once it is decoded.
    """

    load: Load
    caller: str = ""
    priority: Priority = Priority.INTERACTIVE
    transport: Transport = "none"
    is_light: bool = False
    key: bytes | None = None
    waiting: list[tuple[Order, int]] = field(default_factory=list)
    kind: Modality | None = None
    cost: float = 1.0
    since: float = field(default_factory=time.perf_counter)
    decode: float = 0.0
    prepared: Prepared = field(init=False)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(not order.finished.done() for order, _ in self.waiting)

    @property
    def remaining(self) -> float:
        """Seconds until nobody has a use for it."""
        return max(order.terms.remaining for order, _ in self.waiting)

    @property
    def nbytes(self) -> int:
        """Memory of what was prepared."""
        return self.prepared.array.nbytes if self.kind else 0

    def make_ready(self, prepared: Prepared, seconds: float) -> None:
        """Takes what decoding gave, and how long that took."""
        self.prepared, self.decode, self.since = prepared, seconds, time.perf_counter()
        self.kind, self.cost = prepared.modality, prepared.cost / BATCH_COST[prepared.modality]

    def encoded(self, vector: NDArray[np.float32], began: float, seconds: float) -> Encoded:
        """Returns its vector with where its time went; the forward pass began at `began`."""
        item, stages = self.prepared, Stages(self.decode, began - self.since, seconds, began)
        return Encoded(vector, item.modality, item.treatment, stages, item.cost)

    def settle(self, outcome: Outcome) -> None:
        """Tells everybody who waits for it."""
        for order, index in self.waiting:
            order.fill(index, outcome)
