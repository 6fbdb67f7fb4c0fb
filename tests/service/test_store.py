"""Where collections are kept is a setting: the same questions on a folder and on Milvus Lite."""

from pathlib import Path

import pytest

from indexes.errors import CollectionExists
from service.engine import Engine
from service.messages import ItemInput, NewCollection, QueryPart, SearchQuery, TextContent
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("store", ["", "milvus:{}/items.db", "{}/elsewhere"])
async def test_every_store_serves(tmp_path: Path, store: str) -> None:
    settings = Settings(
        data=tmp_path / "data", store=store.format(tmp_path), exact_rows=1000, search_threads=1
    )
    words = ("red", "green", "blue")
    items = [ItemInput(TextContent(word), word, {"letters": len(word)}) for word in words]
    query = SearchQuery(
        [QueryPart(TextContent("red"))], filter={"letters": {"$gte": 4}}, k=2, exact=True
    )
    async with Engine(settings, [FakeEmbedder()]) as engine:
        await engine.collections.create(NewCollection("album", indexed=("letters",)))
        assert (await engine.collections.upsert("album", items)).ok == len(items)
        found = await engine.collections.search("album", query)
        assert {hit.id for hit in found.hits} == {"green", "blue"}
        assert found.exact
    async with Engine(settings, [FakeEmbedder()]) as engine:
        info = await engine.collections.get("album", with_stats=True)
        assert (info.counts, info.indexed) == ({"text": 3}, ("letters",))
        assert info.recall_target == settings.recall_target
        assert info.stats is not None
        assert sum(each.rows for each in info.stats.segments["text"]) == 3
        taken = await engine.snapshots.take("album")
        with pytest.raises(CollectionExists):
            await engine.snapshots.restore(taken.name)
        again = await engine.snapshots.restore(taken.name, "again")
        assert (again.counts, again.indexed) == (info.counts, info.indexed)
        path = tmp_path / "album.parquet"
        assert await engine.tables.export("again", path) == 3
        assert (await engine.tables.import_(path, NewCollection("third"))).stored == 3
    assert (tmp_path / "data" / "album").exists() == (not store)
