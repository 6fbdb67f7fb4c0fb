"""Writers, those who follow them, and those who hold them up."""

import asyncio
import threading
from pathlib import Path

import pytest

from indexes.local.folder import FolderStore
from service.access.names import Names, asked_for
from service.access.needs import Again
from service.writes import Writes

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path)
    for name in ("old", "new"):
        store.create(name, space_id="space", dim=3, model="model")
    return store


async def test_followers_learn_what_is_touched_while_they_follow(store: FolderStore) -> None:
    with store:
        writes = Writes(Names(store))
        await writes.write("old", ["before"], lambda: None)
        async with writes.followed("old") as one, writes.followed("old") as two:
            assert await writes.write("old", ["a", "b"], lambda: 7) == 7
            await writes.write("new", ["elsewhere"], lambda: None)
            assert one == two == {"a", "b"}
            one.clear()
            with pytest.raises(ZeroDivisionError):
                await writes.write("old", ["perhaps"], lambda: 1 // 0)
            assert (one, two) == ({"perhaps"}, {"a", "b", "perhaps"})
        await writes.write("old", ["after"], lambda: None)
        assert "after" not in one | two


async def test_a_writer_counts_until_it_has_ended_though_nobody_waits_for_it(
    store: FolderStore,
) -> None:
    with store:
        writes, may_end, written = Writes(Names(store)), threading.Event(), []

        def slow() -> None:
            may_end.wait(20)
            written.append("a")

        async with writes.followed("old") as touched:
            writer = asyncio.create_task(writes.write("old", ["a"], slow))
            await asyncio.sleep(0)
            writer.cancel()
            holder = asyncio.create_task(_hold(writes, touched, written))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not holder.done()
            may_end.set()
            assert await holder == ({"a"}, ["a"])


async def _hold(
    writes: Writes, touched: set[str], written: list[str]
) -> tuple[set[str], list[str]]:
    async with writes.held("old"):
        return set(touched), list(written)


async def test_who_was_held_up_writes_to_what_the_name_stands_for_then(
    store: FolderStore,
) -> None:
    with store:
        writes, done = Writes(Names(store)), []
        store.point("now", "old")

        async def write(name: str) -> None:
            with asked_for(name):
                await writes.write("old", [name], lambda: done.append(name))

        async with writes.held("old"):
            by_alias = asyncio.create_task(write("now"))
            by_name = asyncio.create_task(write("old"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert done == []
            store.point("now", "new")
        await by_name
        with pytest.raises(Again):
            await by_alias
        assert done == ["old"]


async def test_one_at_a_time_holds_writers_up(store: FolderStore) -> None:
    with store:
        writes, inside = Writes(Names(store)), []

        async def hold(name: str) -> None:
            async with writes.held("old"):
                inside.append(name)
                await asyncio.sleep(0)
                inside.append(name)

        await asyncio.gather(hold("a"), hold("b"))
        assert inside == ["a", "a", "b", "b"]
        await writes.write("old", [], lambda: None)
