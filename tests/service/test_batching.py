"""One batcher, a tiny model, and every way in which work can be shared, refused or go wrong."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import Prepared, Vectors
from embedder.errors import EncodingFailed, InvalidMedia, UndecodableMedia
from embedder.media import Media, Modality, Text
from service.batching import BATCH_COST, Batcher, Encoded, Load, Work, pipeline
from service.batching.cache import ENTRY_BYTES
from service.errors import DeadlineExceeded, Overloaded
from service.settings import Settings
from service.telemetry import Telemetry
from service.terms import Priority, Terms
from tests.fakes import FakeEmbedder
from tests.samples import picture

pytestmark = pytest.mark.anyio


GATE_SECONDS = 30.0
"""A test that fails while the gate is closed is told of: its work would never end."""


class Watched(FakeEmbedder):
    """Records its batches; fails on a word; holds its forward passes while the gate is closed."""

    def __init__(self, poison: str = "") -> None:
        super().__init__()
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.running = 0
        self._lock = threading.Lock()
        self._poison = self.prepare(Text(poison)).array if poison else None

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        self.entered.set()
        with self._lock:
            self.running += 1
        if not self.gate.wait(GATE_SECONDS):
            raise TimeoutError("the gate stayed closed: see what failed in front of it")
        with self._lock:
            self.running -= 1
        self.batches.append(len(batch))
        if any(self._is_poison(item.array) for item in batch):
            raise RuntimeError("the forward pass broke down")
        return super().encode(batch)

    def _is_poison(self, array: NDArray[np.generic]) -> bool:
        return self._poison is not None and np.array_equal(array, self._poison)


def load(media: Media) -> Work:
    return Work(lambda: media)


def words(*texts: str) -> list[Work]:
    return [load(Text(text)) for text in texts]


def batcher(embedder: FakeEmbedder, **options: object) -> Batcher:
    settings = Settings.model_validate({"passes": 1, "pass_seconds": 60, **options})
    return Batcher(embedder, settings, Telemetry())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GATE_SECONDS):
        while not condition():
            await asyncio.sleep(0)


def vector(outcome: Encoded | BaseException) -> NDArray[np.float32]:
    assert isinstance(outcome, Encoded), outcome
    return outcome.vector


async def test_vectors_are_those_of_the_model_in_order() -> None:
    model = Watched()
    media: list[Media] = [Text("red"), picture("red"), Text("loud noise"), picture("blue")]
    async with batcher(model) as batches:
        outcomes = await batches.embed([load(item) for item in media])
    np.testing.assert_allclose([vector(o) for o in outcomes], model.embed(media), atol=1e-6)
    assert [o.modality for o in outcomes if isinstance(o, Encoded)] == [m.modality for m in media]


async def test_concurrent_requests_share_a_forward_pass() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model) as batches:
        first = asyncio.create_task(batches.embed(words("first")))
        await until(model.entered.is_set)
        others = [asyncio.create_task(batches.embed(words(f"word{i}"))) for i in range(8)]
        await until(lambda: batches.ready_items == 8)
        model.gate.set()
        answers = await asyncio.gather(first, *others)
    assert model.batches == [1, 8]
    expected = model.embed([Text("first"), *(Text(f"word{i}") for i in range(8))])
    np.testing.assert_allclose([vector(a[0]) for a in answers], expected, atol=1e-6)


async def test_a_batch_costs_no_more_than_its_bound() -> None:
    model = Watched()
    model.gate.clear()
    bound = BATCH_COST[Modality.IMAGE]
    async with batcher(model) as batches:
        first = asyncio.create_task(batches.embed([load(picture())]))
        await until(model.entered.is_set)
        rest = asyncio.create_task(batches.embed([load(picture())] * (bound + 3)))
        await until(lambda: batches.ready_items == bound + 3)
        model.gate.set()
        await asyncio.gather(first, rest)
    assert model.batches == [1, bound, 3]


@pytest.mark.parametrize("place", [0, 13, 31])
async def test_a_poisoned_forward_pass_is_split_until_the_culprit_is_alone(place: int) -> None:
    texts = [f"word{i}" for i in range(32)]
    texts[place] = "poison"
    model = Watched(poison="poison")
    model.gate.clear()
    async with batcher(model) as batches:
        first = asyncio.create_task(batches.embed(words("first")))
        await until(model.entered.is_set)
        rest = asyncio.create_task(batches.embed(words(*texts)))
        await until(lambda: batches.ready_items == 32)
        model.gate.set()
        _, outcomes = await asyncio.gather(first, rest)
        again = await batches.embed(words("still here"))
    assert isinstance(outcomes.pop(place), RuntimeError)
    expected = FakeEmbedder().embed([Text(t) for i, t in enumerate(texts) if i != place])
    np.testing.assert_allclose([vector(o) for o in outcomes], expected, atol=1e-6)
    assert len(model.batches) == 1 + 1 + 2 * 5 + 1  # first, whole, two halves on each of 5 levels
    assert isinstance(again[0], Encoded)


def _stop() -> Media:
    return next(iter(()))


def _invalid() -> Media:
    return Text(" ")


def _undecodable() -> Media:
    raise UndecodableMedia("not media")


@pytest.mark.parametrize(
    ("bad", "kind"),
    [(_invalid, InvalidMedia), (_undecodable, UndecodableMedia), (_stop, StopIteration)],
)
async def test_an_item_that_cannot_be_prepared_costs_itself_alone(
    bad: Load, kind: type[Exception]
) -> None:
    async with batcher(Watched()) as batches:
        good, failed, also_good = await batches.embed([*words("a"), Work(bad), *words("b")])
        again = await batches.embed(words("still here"))
    assert isinstance(failed, kind)
    assert isinstance(good, Encoded)
    assert isinstance(also_good, Encoded)
    assert isinstance(again[0], Encoded)


async def test_a_full_queue_refuses_at_once_and_says_when_to_return() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model, queue_size=4, max_items=4) as batches:
        waiting = asyncio.create_task(batches.embed(words("a", "b", "c")))
        await until(model.entered.is_set)
        with pytest.raises(Overloaded, match="3 items wait and 2 more") as refusal:
            await batches.embed(words("d", "e"))
        assert refusal.value.retry_after >= 1
        model.gate.set()
        await waiting
        assert len(await batches.embed(words("d", "e"))) == 2


async def test_decoding_waits_while_much_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Watched()
    model.gate.clear()
    limit = 6 * model.prepare(Text("a")).array.nbytes
    monkeypatch.setattr(pipeline, "READY_BYTES", dict.fromkeys(Priority, limit))
    decoded: list[int] = []

    def decode(i: int) -> Media:
        decoded.append(i)
        return Text(f"word{i}")

    async with batcher(model, decode_threads=1) as batches:
        request = asyncio.create_task(batches.embed([Work(partial(decode, i)) for i in range(100)]))
        await until(lambda: batches.ready_items >= 6)
        assert len(decoded) <= 6 + 6 + 1  # in the forward pass, ready, in hand
        model.gate.set()
        outcomes = await request
    assert decoded == list(range(100))
    assert all(isinstance(outcome, Encoded) for outcome in outcomes)


async def test_a_deadline_drops_what_has_not_begun() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model, request_seconds=0.5) as batches:
        busy = asyncio.create_task(batches.embed(words("busy")))
        await until(model.entered.is_set)
        with pytest.raises(DeadlineExceeded, match=r"within 0.5 s"):
            await batches.embed(words("late"))
        with pytest.raises(DeadlineExceeded):
            await busy
        model.gate.set()
        await batches.embed(words("after"))
    assert model.batches == [1, 1]


async def test_a_client_that_leaves_takes_its_work_with_it() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model) as batches:
        busy = asyncio.create_task(batches.embed(words("busy")))
        await until(model.entered.is_set)
        gone = asyncio.create_task(batches.embed(words("gone")))
        await until(lambda: batches.ready_items == 1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        model.gate.set()
        await busy
        await batches.embed(words("after"))
    assert model.batches == [1, 1]


async def test_leaving_waits_for_what_was_admitted() -> None:
    model = Watched()
    model.gate.clear()
    batches = batcher(model)
    async with batches:
        waiting = asyncio.create_task(batches.embed(words("a")))
        await until(model.entered.is_set)
        threading.Timer(0.05, model.gate.set).start()
    assert isinstance((await waiting)[0], Encoded)


async def test_a_model_that_answers_too_little_fails_its_items_and_not_the_worker() -> None:
    class Short(FakeEmbedder):
        def encode(self, batch: Sequence[Prepared]) -> Vectors:
            return super().encode(batch)[:-1]

    async with batcher(Short()) as batches:
        outcomes = await batches.embed(words("a", "b"))
    assert all(isinstance(outcome, EncodingFailed) for outcome in outcomes)


def keyed(text: str) -> Work:
    return Work(lambda: Text(text), text.encode())


async def test_what_was_embedded_is_remembered() -> None:
    model = Watched()
    async with batcher(model) as batches:
        (first,) = await batches.embed([keyed("red")])
        again, other = await batches.embed([keyed("red"), keyed("blue")])
    np.testing.assert_array_equal(vector(again), vector(first))
    np.testing.assert_allclose(vector(other), FakeEmbedder().embed([Text("blue")])[0], atol=1e-6)
    assert model.batches == [1, 1]


async def test_the_cache_forgets_the_least_recently_asked_for() -> None:
    model = Watched()
    entry = 4 * model.space.dim + ENTRY_BYTES
    async with batcher(model, vector_cache_bytes=2 * entry) as batches:
        for text in ("a", "b", "a", "c", "a", "b"):  # b is gone when it is asked for again
            await batches.embed([keyed(text)])
    assert model.batches == [1, 1, 1, 1]


async def test_no_cache_remembers_nothing() -> None:
    model = Watched()
    async with batcher(model, vector_cache_bytes=0) as batches:
        await batches.embed([keyed("a")])
        await batches.embed([keyed("a")])
    assert model.batches == [1, 1]


async def test_what_is_asked_for_twice_at_once_is_embedded_once() -> None:
    model = Watched()
    model.gate.clear()
    telemetry = Telemetry()
    async with Batcher(model, Settings(), telemetry) as batches:
        busy = asyncio.create_task(batches.embed(words("busy")))
        await until(model.entered.is_set)
        both = [asyncio.create_task(batches.embed([keyed("same")])) for _ in range(3)]
        await until(lambda: batches.ready_items == 1)
        both.pop(0).cancel()  # who asked first leaves; the others still have their answer
        await asyncio.sleep(0)
        model.gate.set()
        (one,), (two,), _ = await asyncio.gather(*both, busy)
    np.testing.assert_array_equal(vector(one), vector(two))
    assert model.batches == [1, 1]
    assert b'kindred_cache_coalesced_total{model="fake"} 2.0' in telemetry.exposition()


async def test_bulk_that_hangs_in_a_decoder_holds_up_nobody_who_asks() -> None:
    hangs, begun = threading.Event(), threading.Event()

    def stuck() -> Media:
        begun.set()
        hangs.wait()
        return Text("late")

    patient = Terms(priority=Priority.BULK)
    async with batcher(Watched(), decode_threads=1) as batches:
        bulk = asyncio.create_task(batches.embed([Work(stuck)], patient))
        await until(begun.is_set)
        assert isinstance((await batches.embed(words("asked")))[0], Encoded)
        assert not bulk.done()
        hangs.set()
        assert isinstance((await bulk)[0], Encoded)


async def test_what_waits_is_shared_out_among_the_passes_that_can_begin() -> None:
    model = Watched()
    async with batcher(model, passes=2) as batches:
        await batches.embed([load(picture())])
        model.gate.clear()
        pictures = [picture(size=(32, 24 + i)) for i in range(9)]
        work = [replace(load(each), is_light=True) for each in pictures]
        asked = asyncio.create_task(batches.embed(work))
        await until(lambda: model.running == 2)
        assert batches.ready_items == 0
        model.gate.set()
        outcomes = await asked
    assert sorted(model.batches) == [1, 4, 5]
    expected = FakeEmbedder().embed(pictures)
    np.testing.assert_allclose([vector(o) for o in outcomes], expected, atol=1e-6)


async def test_texts_have_one_pass_at_a_time_which_waits_for_none_of_pictures() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model, passes=2) as batches:
        shown = asyncio.create_task(batches.embed([load(picture())]))
        await until(lambda: model.running == 1)
        texts = [asyncio.create_task(batches.embed(words("first")))]
        await until(lambda: model.running == 2)
        texts += [asyncio.create_task(batches.embed(words(f"word{i}"))) for i in range(4)]
        await until(lambda: batches.ready_items == 4)
        model.gate.set()
        await asyncio.gather(shown, *texts)
    assert sorted(model.batches) == [1, 1, 4]


@pytest.mark.parametrize(
    ("media", "first"),
    [
        ([Text(f"{i:02}") for i in range(17)], [8, 4, 2]),
        ([picture(size=(32, 24 + i)) for i in range(17)], [4, 3, 2]),
    ],
    ids=["half of texts", "a quarter of pictures"],
)
async def test_a_pass_takes_as_long_as_it_may_or_its_part_of_what_waits(
    media: Sequence[Media], first: list[int]
) -> None:
    model = Watched()
    async with batcher(model, pass_seconds=1e-9) as batches:
        work = [replace(load(each), is_light=True) for each in media]
        await batches.embed(work)
    assert model.batches[:3] == first
    assert sum(model.batches) == 17


async def test_bulk_costs_no_more_than_any_pass_while_others_ask() -> None:
    model = Watched()
    bound = BATCH_COST[Modality.IMAGE]
    async with batcher(model, bulk_pass_seconds=60) as batches:
        await batches.embed([load(picture())])  # which tells that 60 s are enough for any number
        model.gate.clear()
        first = asyncio.create_task(batches.embed([load(picture("red"))]))
        await until(lambda: model.running == 1)
        work = [load(picture(size=(32, 24 + i))) for i in range(5 * bound)]
        stored = asyncio.create_task(batches.embed(work, Terms(priority=Priority.BULK)))
        await until(lambda: model.running == 2)
        await until(lambda: batches.ready_items >= 3 * bound)
        model.gate.set()
        await asyncio.gather(first, stored)
    assert max(model.batches) == bound


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux have threads a priority")
async def test_passes_of_bulk_give_way() -> None:
    found: list[int] = []

    class Asked(FakeEmbedder):
        def encode(self, batch: Sequence[Prepared]) -> Vectors:
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().encode(batch)

    async with batcher(Asked(), bulk_niceness=3) as batches:
        for number, lane in enumerate([Priority.BULK, Priority.INTERACTIVE, Priority.BULK]):
            await batches.embed(words(str(number)), Terms(priority=lane))
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert found == [min(19, usual + 3), usual, min(19, usual + 3)]


async def test_who_asks_waits_for_no_pass_of_bulk() -> None:
    model = Watched()
    model.gate.clear()
    async with batcher(model) as batches:
        patient = Terms(priority=Priority.BULK)
        stored = asyncio.create_task(batches.embed(words("a", "b", "c"), patient))
        await until(lambda: model.running == 1)
        asked = asyncio.create_task(batches.embed(words("asked")))
        await until(lambda: model.running == 2)
        model.gate.set()
        await asyncio.gather(stored, asked)


@pytest.mark.parametrize(("asked", "held"), [(True, (2, 1)), (False, (1, 2))])
async def test_bulk_has_one_pass_at_a_time_while_somebody_asks(
    asked: bool, held: tuple[int, int]
) -> None:
    model = Watched()
    async with batcher(model, passes=2) as batches:
        if asked:
            await batches.embed(words("asked"))
        model.gate.clear()
        pictures = [picture(size=(32, 24 + i)) for i in range(3)]
        work = [replace(load(each), is_light=True) for each in pictures]
        stored = asyncio.create_task(batches.embed(work, Terms(priority=Priority.BULK)))
        await until(lambda: (batches.ready_items, model.running) == held)
        await asyncio.sleep(0.05)  # in which a second pass would begin
        assert (batches.ready_items, model.running) == held
        model.gate.set()
        await stored


async def test_what_is_light_is_prepared_by_who_asks() -> None:
    here = threading.get_ident()
    threads = list[int]()

    def load(text: str) -> Media:
        threads.append(threading.get_ident())
        return Text(text)

    async with batcher(Watched()) as batches:
        work = [Work(partial(load, text), is_light=True) for text in ("red", "blue", " ")]
        red, blue, blank = await batches.embed(work)
    expected = FakeEmbedder().embed([Text("red"), Text("blue")])
    np.testing.assert_allclose([vector(red), vector(blue)], expected, atol=1e-6)
    assert isinstance(blank, InvalidMedia)
    assert threads == [here] * 3


async def test_a_full_queue_has_room_for_who_has_less_than_a_fair_part() -> None:
    model = Watched()
    model.gate.clear()
    greedy, modest = Terms("greedy"), Terms("modest")
    async with batcher(model, queue_size=4, max_items=4) as batches:
        full = asyncio.create_task(batches.embed(words("a", "b", "c", "d"), greedy))
        await until(model.entered.is_set)
        with pytest.raises(Overloaded):
            await batches.embed(words("e"), greedy)
        let_in = asyncio.create_task(batches.embed(words("f", "g"), modest))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batches.embed(words("h"), modest)
        model.gate.set()
        await asyncio.gather(full, let_in)


async def test_what_cannot_be_in_time_costs_no_forward_pass() -> None:
    class Slow(Watched):
        def encode(self, batch: Sequence[Prepared]) -> Vectors:
            time.sleep(0.05)
            return super().encode(batch)

    model = Slow()
    async with batcher(model) as batches:
        await batches.embed(words("measured"))
        with pytest.raises(DeadlineExceeded):
            await batches.embed(words("hurried"), Terms(deadline=time.monotonic() + 0.03))
    assert model.batches == [1]
