"""Aliases: every use case of a collection follows them, and no key sees more through them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexes.errors import (
    AliasMoved,
    AliasNotFound,
    CollectionAliased,
    CollectionExists,
    CollectionNotFound,
)
from service.access.caller import Caller, Scope, caller
from service.conditioning.messages import ConditionQuery
from service.engine import Engine
from service.errors import CollectionBusy, PermissionDenied
from service.ingest.ingest import Outcome
from service.jobs.messages import IngestFolder, Reembed
from service.jobs.tasks import Tasks
from service.messages import (
    AliasInfo,
    ItemContent,
    ItemInput,
    NewCollection,
    QueryPart,
    SearchQuery,
    TextContent,
)
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

WORDS = ("red", "green", "blue")
QUERY = SearchQuery((QueryPart(TextContent("red")),))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings.model_validate(
        {"data": tmp_path / "data", "decode_workers": 0, "job_folders": (tmp_path,)}
    )
    async with Engine(settings, [FakeEmbedder()]) as running:
        for name in ("one", "two"):
            await running.collections.create(NewCollection(name))
            items = [ItemInput(TextContent(f"{word} {name}"), f"{name}-{word}") for word in WORDS]
            await running.collections.upsert(name, items)
        await running.aliases.point("now", "one")
        yield running


@contextmanager
def asking(*only: str, scopes: frozenset[Scope] = frozenset(Scope)) -> Iterator[None]:
    token = caller.set(Caller("limited", scopes, frozenset(only)))
    try:
        yield
    finally:
        caller.reset(token)


async def test_an_alias_is_asked_as_its_collection_is(engine: Engine, tmp_path: Path) -> None:
    ask = engine.collections
    for name in ("one", "two"):
        await engine.aliases.point("now", name)
        assert (await ask.get("now")) == (await ask.get(name))
        page = await ask.items("now")
        there = [item.id for item in page.items]
        assert there == [item.id for item in (await ask.items(name)).items]
        assert page.collection == name
        answer = await ask.search("now", QUERY)
        assert answer.collection == name
        assert {hit.id for hit in answer.hits} == set(there)
        by_item = SearchQuery((QueryPart(ItemContent(f"{name}-red")),))
        assert (await ask.search("now", by_item)).hits[0].id == f"{name}-red"
        assert (await ask.item("now", there[0])).id == there[0]
        assert (await ask.content("now", there[0]))[0].decode() == f"red {name}"
        added = await ask.upsert("now", [ItemInput(TextContent("new"), "new")])
        assert (await ask.item(name, "new")).id == "new"
        deleted = await ask.delete_items("now", ["new"])
        assert [(it.collection, it.ok, it.failed) for it in (added, deleted)] == [(name, 1, 0)] * 2
        assert (await ask.update("now", indexed=["year"])).name == name
        scored = await engine.densities.score("now", [TextContent("red")])
        assert (scored.collection, scored.scores[0].error is not None) == (name, True)
        job = await engine.jobs.create("now", IngestFolder(str(tmp_path)))
        assert job.collection == name
        await engine.jobs.cancel(job.id)
        assert (await engine.snapshots.take("now")).collection == name
    assert [info.name for info in await ask.list()] == ["one", "two"]


async def test_conditioning_follows_an_alias_and_looks_who_asks(engine: Engine) -> None:
    query = ConditionQuery(inputs=(QueryPart(ItemContent("one-red")),), collection="now")
    assert (await engine.conditions.condition(query)).model == "fake"
    with asking("two"), pytest.raises(PermissionDenied, match="not 'now'"):
        await engine.conditions.condition(query)


async def test_an_alias_is_not_followed_to_what_is_made_or_ended(engine: Engine) -> None:
    with pytest.raises(CollectionNotFound, match="'now'"):
        await engine.collections.delete("now")
    with pytest.raises(CollectionAliased, match=r"'one' .* now"):
        await engine.collections.delete("one")
    with pytest.raises(CollectionExists, match="'now'"):
        await engine.collections.create(NewCollection("now"))
    taken = await engine.snapshots.take("now")
    with pytest.raises(CollectionExists, match="'now'"):
        await engine.snapshots.restore(taken.name, "now")
    await engine.aliases.delete("now")
    await engine.collections.delete("one")


async def test_aliases_are_listed_pointed_and_deleted(engine: Engine) -> None:
    point = engine.aliases.point
    assert await point("also", "two") == AliasInfo("also", "two")
    assert await point("also", "now", expected="two") == AliasInfo("also", "one", "two")
    await engine.collections.create(NewCollection("three"))
    with pytest.raises(AliasMoved, match=r"'also' must stand for 'two' .* 'one'"):
        await point("also", "three", expected="two")
    assert await engine.aliases.list() == (AliasInfo("also", "one"), AliasInfo("now", "one"))
    await engine.aliases.delete("also")
    with pytest.raises(AliasNotFound, match="'also'"):
        await engine.aliases.delete("also")


async def test_a_key_is_judged_by_what_an_alias_stands_for(engine: Engine) -> None:
    secret = "not what 'now' stands for"
    with asking("one"):
        assert (await engine.collections.search("now", QUERY)).collection == "one"
        assert await engine.aliases.list() == (AliasInfo("now", "one"),)
    with asking("two", "now"):
        for ask in (
            engine.collections.get("now"),
            engine.collections.search("now", QUERY),
            engine.collections.delete_items("now", ["one-red"]),
            engine.densities.score("now", [TextContent("red")]),
            engine.snapshots.take("now"),
            engine.aliases.point("now", "two"),
            engine.aliases.delete("now"),
        ):
            with pytest.raises(PermissionDenied, match=secret) as refused:
                await ask
            assert "one" not in str(refused.value).replace("none", "")
        assert await engine.aliases.list() == ()
    assert (await engine.collections.get("now")).counts == {"text": 3}


async def test_a_limited_key_changes_only_names_that_it_was_given(engine: Engine) -> None:
    with asking("one", "two"):
        for alias in ("now", "other", "none"):
            with pytest.raises(PermissionDenied, match=f"not '{alias}'"):
                await engine.aliases.point(alias, "two")
            with pytest.raises(PermissionDenied, match=f"not '{alias}'"):
                await engine.aliases.delete(alias)
    with asking("one", "two", "now"):
        assert (await engine.aliases.point("now", "two")).previous == "one"
        with pytest.raises(PermissionDenied, match="not 'secret'"):
            await engine.aliases.point("now", "secret")
    reading = asking("one", "two", "now", scopes=frozenset({Scope.READ}))
    with reading, pytest.raises(PermissionDenied, match="scope write"):
        await engine.aliases.point("now", "one")


async def test_the_audit_log_says_what_an_alias_stood_for(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "kindred.audit"):
        await engine.collections.delete_items("now", ["one-red"])
        await engine.aliases.point("now", "two")
    told = [vars(record)["facts"] for record in caplog.records]
    assert [(each["alias"], each["collection"]) for each in told] == [
        ("now", "one"),
        ("now", "two"),
    ]


async def test_a_collection_is_renamed_under_load(engine: Engine) -> None:
    """Everybody goes on asking by the name that becomes an alias."""
    renaming = True
    stored: list[str] = []

    async def search() -> None:
        while renaming:
            assert len((await engine.collections.search("one", QUERY)).hits) >= len(WORDS)

    async def write(who: int) -> None:
        while renaming:
            name = f"{who}-{len(stored)}"
            item = ItemInput(TextContent(name), name)
            assert (await engine.collections.upsert("one", [item])).ok == 1
            stored.append(name)

    work = [asyncio.create_task(search()), *(asyncio.create_task(write(n)) for n in range(3))]
    name = "one"
    for new in ("one-1", "one-2", "one-3"):
        before = len(stored)
        assert (await engine.collections.rename(name, new)).name == new
        while len(stored) < before + 10 and not any(task.done() for task in work):
            await asyncio.sleep(0)
        name = new
    renaming = False
    await asyncio.gather(*work)
    there = {item.id for item in (await engine.collections.items("one", page_size=1000)).items}
    assert there == {*stored, *(f"one-{word}" for word in WORDS)}
    assert {it.name: it.collection for it in await engine.aliases.list()} == dict.fromkeys(
        ("now", "one", "one-1", "one-2"), "one-3"
    )


async def test_what_a_job_copies_is_not_renamed(engine: Engine) -> None:
    async with engine.collections.writes.followed("one"):
        with pytest.raises(CollectionBusy, match="'one'"):
            await engine.collections.rename("one", "one-1")
    await engine.collections.rename("one", "one-1")


async def test_who_renames_may_touch_both_names(engine: Engine) -> None:
    with asking("one"), pytest.raises(PermissionDenied, match="not 'two-1'"):
        await engine.collections.rename("one", "two-1")
    with asking("two-1"), pytest.raises(PermissionDenied, match="not 'one'"):
        await engine.collections.rename("one", "two-1")


async def test_a_job_goes_on_with_a_collection_that_was_renamed(engine: Engine) -> None:
    async with engine.jobs:
        job = await engine.jobs.create("three", Reembed("one", alias="now"))
        await engine.jobs.cancel(job.id)
    await engine.collections.rename("one", "one-1")
    plan = await Tasks(engine.collections, engine.aliases, engine.settings).plan(job)
    steps = [step async for step in plan.steps]
    assert sorted(it.id for it in steps if isinstance(it, Outcome)) == sorted(
        f"one-{word}" for word in WORDS
    )
    assert AliasInfo("now", "three") in await engine.aliases.list()


async def test_a_swap_under_load_loses_no_question_and_no_write(engine: Engine) -> None:
    """Old collections are deleted at once, so that whoever holds one is found out."""
    swapping = True
    stored: list[str] = []

    async def search() -> None:
        while swapping:
            assert (await engine.collections.search("now", QUERY)).collection.startswith("gen")

    async def write(who: int) -> None:
        number = 0
        while swapping:
            number += 1
            name = f"{who}-{number}"
            item = ItemInput(TextContent(name), name)
            assert (await engine.collections.upsert("now", [item])).ok == 1
            stored.append(name)

    await engine.collections.create(NewCollection("gen0"))
    await engine.aliases.point("now", "gen0")
    work = [asyncio.create_task(search()), *(asyncio.create_task(write(n)) for n in range(3))]
    for n in range(1, 6):
        await engine.collections.create(NewCollection(f"gen{n}"))
        before = len(stored)
        await engine.aliases.point("now", f"gen{n}", expected=f"gen{n - 1}")
        while len(stored) < before + 10 and not any(task.done() for task in work):
            await asyncio.sleep(0)
        await engine.collections.delete(f"gen{n - 1}")
    swapping = False
    await asyncio.gather(*work)
    assert await engine.aliases.list() == (AliasInfo("now", "gen5"),)
