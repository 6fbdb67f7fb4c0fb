"""Items of long work are stored however busy the queue is, and however slow some of them are."""

from collections.abc import Sequence

import pytest

from service.errors import DeadlineExceeded, Overloaded
from service.jobs.items import PatientItems
from service.messages import ItemInput, ItemResult, ItemResults, TextContent

pytestmark = pytest.mark.anyio


class Busy:
    """Collections that are overloaded at first, take two items in time, and never the slow one."""

    def __init__(self) -> None:
        self.refusals = 3
        self.stored: list[str | None] = []

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> ItemResults:
        if self.refusals:
            self.refusals -= 1
            raise Overloaded("busy", retry_after=0.0)
        if len(items) > 2 or any(item.id == "slow" for item in items):
            raise DeadlineExceeded("too late")
        self.stored += [item.id for item in items]
        results = (ItemResult(index, item.id) for index, item in enumerate(items))
        return ItemResults(collection, tuple(results))


async def test_what_is_too_much_at_once_is_halved_and_a_slow_item_costs_itself_alone() -> None:
    busy, names = Busy(), ["a", "b", "c", "slow", "d", "e", "f"]
    items = [ItemInput(TextContent(name), name) for name in names]
    results = await PatientItems(busy).upsert("album", items)  # type: ignore[arg-type]
    assert [(result.index, result.id) for result in results] == list(enumerate(names))
    assert [result.id for result in results if result.error] == ["slow"]
    assert results[3].error
    assert results[3].error.reason == "DEADLINE_EXCEEDED"
    assert sorted(map(str, busy.stored)) == ["a", "b", "c", "d", "e", "f"]
