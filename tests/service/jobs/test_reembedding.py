"""Re-embedding with an alias swapped at its end: never half, never too early, nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexes.errors import AliasMoved, CollectionExists, CollectionNotFound, InvalidName
from service.access.caller import Caller, Scope, caller
from service.engine import Engine
from service.errors import InvalidRequest, PermissionDenied
from service.jobs.messages import AliasSwap, JobCounts, JobState, Reembed
from service.messages import AliasInfo, ItemInput, NewCollection, TextContent
from tests.service.jobs.counting import CountingEmbedder
from tests.service.jobs.test_jobs import over, running, stored

pytestmark = pytest.mark.anyio

SWAP = Reembed("now", "second", alias="now")


def words(*names: str, say: str = "word") -> list[ItemInput]:
    return [ItemInput(TextContent(f"{say} {name}"), name, {"say": say}) for name in names]


async def fill(engine: Engine, count: int) -> None:
    await engine.collections.create(NewCollection("old", indexed=("say",)))
    await engine.aliases.point("now", "old")
    await engine.collections.upsert("now", words(*map(str, range(count))))


async def said(engine: Engine, collection: str) -> dict[str, tuple[bytes, object, str]]:
    """Returns what a collection holds, but for vectors."""
    items = (await stored(engine, collection)).values()
    content = engine.collections.content
    return {it.id: ((await content(collection, it.id))[0], it.metadata, it.created) for it in items}


async def require_same(engine: Engine, source: str = "old", target: str = "new") -> None:
    """Makes sure that one collection is what embedding the other again makes of it."""
    assert await said(engine, target) == await said(engine, source)
    found = await stored(engine, target)
    await engine.collections.create(NewCollection("direct", "second"))
    items = [
        ItemInput(TextContent(data.decode()), name)
        for name, (data, _, _) in (await said(engine, source)).items()
    ]
    await engine.collections.upsert("direct", items)
    for name, item in (await stored(engine, "direct")).items():
        assert (item.vector == found[name].vector).all()  # type: ignore[union-attr]


@pytest.fixture
def second() -> CountingEmbedder:
    return CountingEmbedder(name="second")


@pytest.fixture
def held() -> CountingEmbedder:
    """Is held up in its third batch."""
    return CountingEmbedder(free=32, name="second")


@pytest.fixture
async def engine(tmp_path: Path, second: CountingEmbedder) -> AsyncIterator[Engine]:
    async with running(tmp_path, CountingEmbedder(), second) as found:
        await fill(found, 50)
        yield found


async def test_the_alias_is_swapped_when_every_item_went_over(
    engine: Engine, second: CountingEmbedder
) -> None:
    job = await engine.jobs.create("new", SWAP)
    assert job.task == replace(SWAP, source="old")
    told = [each async for each in await engine.jobs.watch(job.id)]
    info = told[-1]
    assert (info.state, info.counts) == (JobState.SUCCEEDED, JobCounts(50, added=50))
    assert info.swap is not None
    assert info.swap.time is not None
    assert info.swap == AliasSwap("now", "new", "old", info.swap.time)
    for each in told:
        assert each.swap is None or each.counts.added == 50
    assert await engine.aliases.list() == (AliasInfo("now", "new"),)
    found = await engine.collections.get("now")
    assert (found.name, found.model, found.indexed) == ("new", "second", ("say",))
    assert second.items == 50
    await require_same(engine)


async def test_an_alias_need_not_be_there_before(engine: Engine) -> None:
    info = await over(engine.jobs, await engine.jobs.create("new", replace(SWAP, alias="then")))
    assert info.swap is not None
    assert (info.swap.alias, info.swap.previous) == ("then", None)
    assert await engine.aliases.list() == (AliasInfo("now", "old"), AliasInfo("then", "new"))


async def test_what_is_written_meanwhile_goes_over(tmp_path: Path, held: CountingEmbedder) -> None:
    async with running(tmp_path, CountingEmbedder(), held) as engine:
        await fill(engine, 50)
        job = await engine.jobs.create("new", SWAP)
        await asyncio.to_thread(held.is_held.wait)
        ask = engine.collections
        await ask.upsert("now", words("0", "49", say="changed"))  # copied, and not yet
        await ask.upsert("old", words("added"))
        await ask.delete_items("now", ["1", "48"])
        await ask.upsert("now", words("brief"))
        await ask.delete_items("now", ["brief"])
        assert (await ask.get("now")).name == "old"
        held.gate.set()
        info = await over(engine.jobs, job)
        assert (info.state, info.counts.failed) == (JobState.SUCCEEDED, 0)
        assert (await ask.get("now")).name == "new"
        await require_same(engine)


async def test_no_write_is_lost_in_a_swap(engine: Engine) -> None:
    """Each acknowledged write must be found under the alias, whichever collection took it."""
    kept: dict[str, str] = {}
    is_over = False

    async def write(who: int) -> None:
        number = 0
        while not is_over:
            number += 1
            name, say = f"{who}-{number % 7}", f"{who} {number}"
            if number % 5:
                await engine.collections.upsert("now", words(name, say=say))
                kept[name] = say
            else:
                await engine.collections.delete_items("now", [name])
                kept.pop(name, None)

    writers = [asyncio.create_task(write(who)) for who in range(4)]
    for n in range(3):
        model = ("second", "fake")[n % 2]
        job = await engine.jobs.create(f"gen{n}", replace(SWAP, model=model, drop_source=True))
        info = await over(engine.jobs, job)
        assert (info.state, info.error) == (JobState.SUCCEEDED, None)
    is_over = True
    await asyncio.gather(*writers)
    assert [info.name for info in await engine.collections.list()] == ["gen2"]
    found = await said(engine, "now")
    assert {name: said[1]["say"] for name, said in found.items() if "-" in name} == kept  # type: ignore[index]


async def test_items_that_failed_leave_the_alias_where_it_is(engine: Engine) -> None:
    keeping = engine.collections._settings
    engine.collections._settings = keeping.model_copy(update={"keep_content": False})
    await engine.collections.upsert("old", words("bare"))
    engine.collections._settings = keeping
    info = await over(engine.jobs, await engine.jobs.create("new", SWAP))
    assert (info.state, info.counts) == (JobState.FAILED, JobCounts(51, added=50, failed=1))
    assert info.error is not None
    assert info.error.reason == "ALIAS_NOT_SWAPPED"
    assert info.swap is None
    assert [each.id for each in (await engine.jobs.errors(info.id)).errors] == ["bare"]
    assert await engine.aliases.list() == (AliasInfo("now", "old"),)

    task = replace(SWAP, allow_failed=True)
    info = await over(engine.jobs, await engine.jobs.create("newer", task))
    assert (info.state, info.counts.failed) == (JobState.SUCCEEDED, 1)
    assert await engine.aliases.list() == (AliasInfo("now", "newer"),)


async def test_an_item_that_is_mended_meanwhile_has_not_failed(
    tmp_path: Path, held: CountingEmbedder
) -> None:
    async with running(tmp_path, CountingEmbedder(), held) as engine:
        await engine.collections.create(NewCollection("old"))
        await engine.aliases.point("now", "old")
        keeping = engine.collections._settings
        engine.collections._settings = keeping.model_copy(update={"keep_content": False})
        await engine.collections.upsert("old", words("mended", "gone"))
        engine.collections._settings = keeping
        await engine.collections.upsert("old", words(*map(str, range(50))))
        job = await engine.jobs.create("new", SWAP)
        await asyncio.to_thread(held.is_held.wait)
        await engine.collections.upsert("now", words("mended"))
        await engine.collections.delete_items("now", ["gone"])
        held.gate.set()
        info = await over(engine.jobs, job)
        assert (info.state, info.counts.failed) == (JobState.SUCCEEDED, 2)
        await require_same(engine)


async def test_an_alias_that_somebody_else_pointed_on_stays_there(
    tmp_path: Path, held: CountingEmbedder
) -> None:
    async with running(tmp_path, CountingEmbedder(), held) as engine:
        await fill(engine, 50)
        await engine.collections.create(NewCollection("third"))
        job = await engine.jobs.create("new", SWAP)
        await asyncio.to_thread(held.is_held.wait)
        await engine.aliases.point("now", "third")
        held.gate.set()
        info = await over(engine.jobs, job)
        assert info.error is not None
        assert (info.state, info.error.reason) == (JobState.FAILED, "ALIAS_MOVED")
        assert await engine.aliases.list() == (AliasInfo("now", "third"),)


async def test_the_old_collection_is_dropped_only_if_asked(engine: Engine) -> None:
    task = replace(SWAP, drop_source=True)
    info = await over(engine.jobs, await engine.jobs.create("new", task))
    assert info.swap is not None
    assert info.swap.source_dropped
    assert [each.name for each in await engine.collections.list()] == ["new"]


async def test_what_cannot_be_swapped_is_refused_at_once(engine: Engine) -> None:
    create = engine.jobs.create
    await engine.collections.create(NewCollection("third"))
    for name, task, error in (
        ("new", replace(SWAP, alias="third"), CollectionExists),
        ("new", replace(SWAP, alias="new"), CollectionExists),
        ("now", Reembed("old", "second"), CollectionExists),
        ("new", replace(SWAP, source="third"), AliasMoved),
        ("new", replace(SWAP, alias="No!"), InvalidName),
        ("new", replace(SWAP, alias=None, drop_source=True), InvalidRequest),
        ("new", replace(SWAP, alias=None, allow_failed=True), InvalidRequest),
        ("new", replace(SWAP, source="none"), CollectionNotFound),
    ):
        with pytest.raises(error):
            await create(name, task)
    token = caller.set(Caller("a", frozenset({Scope.READ, Scope.WRITE})))
    try:
        with pytest.raises(PermissionDenied, match="scope admin"):
            await create("new", replace(SWAP, drop_source=True))
        caller.set(Caller("b", frozenset(Scope), frozenset({"old", "new"})))
        with pytest.raises(PermissionDenied, match="not 'now'"):
            await create("new", SWAP)
    finally:
        caller.reset(token)
    assert {each.name for each in await engine.collections.list()} == {"old", "third"}
