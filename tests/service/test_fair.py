"""Who is next: values against what the shares promise."""

import asyncio
from collections import Counter

import pytest

from embedder.base import Prepared
from embedder.media import Modality, Text
from service.batching.fair import FairQueue
from service.batching.job import BATCH_COST, Job, Order
from service.terms import Priority, Terms
from tests.fakes import FakeEmbedder

WHOLE = 1.0
pytestmark = pytest.mark.anyio


def job(caller: str = "a", cost: float = 0.25) -> Job:
    made = Job(lambda: Text("x"), caller, Priority.INTERACTIVE)
    array = FakeEmbedder().prepare(Text("x")).array
    units = round(cost * BATCH_COST[Modality.IMAGE])
    made.make_ready(Prepared(Modality.IMAGE, array, cost=units), 0.0)
    made.waiting.append((Order(1, Terms()), 0))
    return made


def filled(*jobs: Job) -> FairQueue:
    queue = FairQueue()
    for each in jobs:
        queue.push(each)
    return queue


def callers(queue: FairQueue, turns: int) -> list[str]:
    return [each.caller for _ in range(turns) for each in queue.take(0.0)]


async def test_callers_take_turns_however_much_one_has_sent() -> None:
    queue = filled(*[job("greedy") for _ in range(50)], *[job("modest") for _ in range(3)])
    assert Counter(callers(queue, 6)) == {"greedy": 3, "modest": 3}


async def test_turns_are_by_cost_and_not_by_items() -> None:
    queue = filled(*[job("large", cost=0.5) for _ in range(9)], *[job("small") for _ in range(20)])
    taken = Counter(callers(queue, 18))
    assert taken["small"] == 2 * taken["large"]


async def test_who_comes_late_has_not_saved_up() -> None:
    queue = filled(*[job("early") for _ in range(50)])
    callers(queue, 20)
    for _ in range(20):
        queue.push(job("late"))
    assert Counter(callers(queue, 10)) == {"early": 5, "late": 5}


async def test_one_forward_pass_is_filled_from_many_callers_in_turns() -> None:
    queue = filled(*[job("a") for _ in range(9)], *[job("b") for _ in range(9)])
    assert Counter(each.caller for each in queue.take(WHOLE)) == {"a": 2, "b": 2}


async def test_what_nobody_wants_is_removed() -> None:
    jobs = [job(name) for name in "abc"]
    queue = filled(*jobs)
    jobs[1].waiting[0][0].finished.cancel()
    await asyncio.sleep(0)
    assert queue.discard() == [jobs[1]]
    assert callers(queue, 2) == ["a", "c"]
