"""What every collection promises; a subclass says how to make one, and how to open it anew."""

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from indexes.base import Vectors
from indexes.collection import Answer, Collection, SearchRequest
from indexes.errors import InvalidFilter, InvalidQuery, InvalidVector, ItemNotFound, SpaceMismatch
from indexes.filters.language import parse_filter
from indexes.filters.matching import matches
from indexes.item import Content, Item
from indexes.ranking import FIRST_STEP, Background, Moments, blend, bulk
from indexes.windows import Window, Windows
from tests.indexes.samples import kept, nearest, unit_rows

DIM = 16
MODALITIES = ("audio", "image", "text")
PRIOR = {
    ("text", "text"): (0.79, 0.06),
    ("text", "image"): (0.33, 0.07),
    ("text", "audio"): (0.23, 0.07),
}


def some_items(n: int, seed: int = 1, prefix: str = "item") -> list[Item]:
    """Returns items of mixed modalities with metadata that tells them apart."""
    return [
        Item(f"{prefix}-{i}", MODALITIES[i % 3], vector, {"n": i, "odd": bool(i % 2)})
        for i, vector in enumerate(unit_rows(n, DIM, seed))
    ]


def cones(n: int, seed: int) -> list[Item]:
    """Returns items whose modalities lie in cones of their own, as those of real models do."""
    axes = {"text": (1.8, 0.0), "image": (0.6, 1.2), "audio": (0.4, -1.2)}
    items = []
    for i, noise in enumerate(unit_rows(n, DIM, seed)):
        modality = MODALITIES[i % 3]
        noise[:2] = axes[modality]
        items.append(Item(f"{modality}-{i}", modality, noise / np.linalg.norm(noise), {"n": i}))
    return items


def ids(answer: Answer) -> list[str]:
    return [hit.id for hit in answer.hits]


def expected_ids(items: list[Item], query: Vectors, k: int) -> list[str]:
    found, _ = nearest(
        query[None], np.arange(len(items)), kept(np.stack([i.vector for i in items])), k
    )
    return [items[row].id for row in found[0]]


class CollectionContract(ABC):
    """Inherited by the test of each kind of collection.

    Attributes:
        beside: How many writes are tried beside searches.
    """

    beside = 150

    @abstractmethod
    @pytest.fixture
    def collection(self) -> Iterator[Collection]:
        """Returns an empty collection of dimension DIM with the backgrounds PRIOR."""

    @abstractmethod
    def reopened(self, collection: Collection) -> Collection:
        """Returns the collection as a process sees it that is started anew."""

    def test_a_hit_tells_which_of_its_windows_is_nearest(self, collection: Collection) -> None:
        whole, other, *rows = unit_rows(9, DIM, 3)
        vectors = np.stack(rows)
        spans = np.array([[2.5 * i, 2.5 * i + 5] for i in range(len(rows))])
        content = Content("audio/wav", b"RIFF" * 20_000)
        windows = Windows.of(spans, vectors)
        long = Item("long", "audio", whole, windows=windows, content=content)
        collection.upsert([long, Item("bare", "image", whole, windows=windows)])
        collection.upsert([Item("short", "audio", other, content=content)])
        for anew in (False, True):
            opened = self.reopened(collection) if anew else collection
            for query in [*unit_rows(5, DIM, 4), vectors[6]]:
                hits = {hit.id: hit for hit in opened.search(SearchRequest(query, "text")).hits}
                best = Window(*spans[int((kept(vectors) @ query).argmax())])
                assert (hits["long"].at, hits["bare"].at, hits["short"].at) == (best, best, None)
            told = opened.windows(["bare", "nobody", "long", "short"])
            assert {one: each.packed() for one, each in told.items()} == {
                "bare": windows.packed(),
                "long": windows.packed(),
            }
            assert opened.get_content("long") == content
            assert opened.get("bare").mime is None
            with pytest.raises(ItemNotFound, match="no content"):
                opened.get_content("bare")
        opened.upsert([Item("long", "audio", whole)])
        assert opened.delete(["bare"]) == ("bare",)
        answer = opened.search(SearchRequest(whole, "audio"))
        assert sorted((hit.id, hit.at) for hit in answer.hits) == [("long", None), ("short", None)]
        assert opened.windows(["long", "bare"]) == {}

    def test_finds_what_exact_search_finds(self, collection: Collection) -> None:
        items = some_items(300)
        collection.upsert(items)
        for query in unit_rows(10, DIM, 2):
            answer = collection.search(SearchRequest(query, "image", ranking="cosine"))
            assert ids(answer) == expected_ids(items, query, 10)
            cosines = [float(query @ kept(items[int(i.split("-")[1])].vector)) for i in ids(answer)]
            assert [hit.score for hit in answer.hits] == pytest.approx(cosines, abs=1e-6)
            assert (answer.ranking, answer.exact) == ("cosine", True)

    def test_a_hit_carries_what_was_stored(self, collection: Collection) -> None:
        vector = unit_rows(1, DIM, 3)[0]
        metadata = {"title": "Été 😀", "nested": {"list": [1, 2.5, None, True]}}
        moment = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        content = Content("image/png", b"\x89PNG\0data")
        collection.upsert([Item("a", "image", vector, metadata, moment, content)])
        collection.upsert([Item("b", "audio", -vector)])
        found = collection.search(SearchRequest(vector, "image", include_vectors=True)).hits[0]
        assert (found.id, found.modality, found.mime) == ("a", "image", "image/png")
        assert found.metadata == metadata
        assert found.score == pytest.approx(1, abs=1e-3)
        assert found.vector is not None
        np.testing.assert_array_equal(found.vector, kept(vector))
        assert collection.search(SearchRequest(vector, "image")).hits[0].vector is None
        item = collection.get("a")
        assert (item.metadata, item.created, item.mime) == (metadata, moment, "image/png")
        np.testing.assert_array_equal(item.vector, kept(vector))
        assert collection.get_content("a") == content
        assert collection.get("b").mime is None

    def test_what_is_not_there_is_not_found(self, collection: Collection) -> None:
        collection.upsert([Item("bare", "image", unit_rows(1, DIM, 1)[0])])
        for name in ("none", "", "\0", "\ud800", "'; --"):
            with pytest.raises(ItemNotFound, match="no item has the id"):
                collection.get(name)
            assert collection.delete([name]) == ()
        for name in ("none", "bare"):
            with pytest.raises(ItemNotFound, match=name):
                collection.get_content(name)

    @pytest.mark.parametrize("year", [1, 1969, 2026, 9999])
    def test_keeps_points_in_time_to_the_microsecond(
        self, collection: Collection, year: int
    ) -> None:
        moment = datetime(year, 12, 31, 23, 59, 59, 999_999, UTC)
        collection.upsert([Item("a", "image", unit_rows(1, DIM, 1)[0], created=moment)])
        assert collection.get("a").created == moment
        condition = parse_filter({"created": moment.isoformat()})
        assert len(collection.items(filter=condition).items) == 1

    def test_an_upsert_replaces_everything_but_the_first_time(self, collection: Collection) -> None:
        old, new = unit_rows(2, DIM, 4)
        collection.upsert([Item("a", "image", old, {"v": 1}, content=Content("a/b", b"x"))])
        created = collection.get("a").created
        collection.upsert([Item("a", "audio", new, {"w": 2})])
        item = collection.get("a")
        assert (item.modality, item.metadata, item.created) == ("audio", {"w": 2}, created)
        np.testing.assert_array_equal(item.vector, kept(new))
        assert collection.count() == {"audio": 1}
        assert ids(collection.search(SearchRequest(old, "image"))) == ["a"]
        with pytest.raises(ItemNotFound):
            collection.get_content("a")

    def test_of_one_id_twice_in_a_batch_the_last_is_kept(self, collection: Collection) -> None:
        first, last = unit_rows(2, DIM, 5)
        collection.upsert([Item("a", "image", first), Item("a", "image", last, {"last": True})])
        hits = collection.search(SearchRequest(last, "image")).hits
        assert [(hit.id, hit.metadata) for hit in hits] == [("a", {"last": True})]
        assert hits[0].score == pytest.approx(1, abs=1e-3)

    def test_what_is_deleted_is_found_by_nothing(self, collection: Collection) -> None:
        items = some_items(90)
        collection.upsert(items)
        gone = [item.id for item in items[::2]]
        assert collection.delete([*gone, "unknown", gone[0]]) == tuple(gone)
        assert collection.delete(gone) == ()
        rest = items[1::2]
        assert collection.count() == {"audio": 15, "image": 15, "text": 15}
        query = items[0].vector
        answer = collection.search(SearchRequest(query, "image", k=90, ranking="cosine"))
        assert ids(answer) == expected_ids(rest, query, 90)
        with pytest.raises(ItemNotFound):
            collection.get(items[0].id)

    def test_an_empty_collection_answers_with_nothing(self, collection: Collection) -> None:
        query = unit_rows(1, DIM, 1)[0]
        collection.upsert([])
        assert collection.delete(["a"]) == ()
        assert collection.search(SearchRequest(query, "text")).hits == ()
        assert collection.items().items == ()
        assert collection.count() == {}

    def test_limits_to_modalities_quotas_and_scores(self, collection: Collection) -> None:
        items = some_items(300)
        collection.upsert(items)
        query = unit_rows(1, DIM, 6)[0]

        def search(**options: Any) -> Answer:  # noqa: ANN401 - any field of a request
            return collection.search(SearchRequest(query, "text", ranking="cosine", **options))

        two = [item for item in items if item.modality in ("audio", "text")]
        assert ids(search(modalities=("text", "audio"))) == expected_ids(two, query, 10)
        assert search(modalities=("video",)).hits == ()
        best = expected_ids(items, query, 300)
        two_each: list[int] = []
        for row in (int(name.removeprefix("item-")) for name in best):
            if sum(row % 3 == other % 3 for other in two_each) < 2:
                two_each.append(row)
        quota = search(k=5, k_per_modality=2)
        assert ids(quota) == [items[row].id for row in two_each[:5]]
        scores = [hit.score for hit in search(k=300).hits]
        assert [hit.score for hit in search(k=300, min_score=0.2).hits] == [
            score for score in scores if score >= 0.2
        ]

    @pytest.mark.parametrize(
        "expression",
        [
            {"n": {"$lt": 7}},
            {"odd": True, "modality": "image"},
            {"id": {"$in": ["item-5", "item-8", "nobody"]}},
            {"$or": [{"n": 3}, {"$not": {"n": {"$gte": 12}}}]},
            {"n": {"$gte": 1_000}},
            {"created": {"$gt": "2001-01-01"}},
        ],
        ids=str,
    )
    def test_filters_exactly(self, collection: Collection, expression: dict[str, Any]) -> None:
        items = some_items(200)
        collection.upsert(items)
        condition = parse_filter(expression)
        stored = collection.items(page_size=1_000).items
        assert [item.id for item in stored] == [item.id for item in items]
        passing = [item for item in stored if matches(condition, item)]
        query = unit_rows(1, DIM, 7)[0]
        request = SearchRequest(query, "text", k=12, filter=condition, ranking="cosine")
        assert ids(collection.search(request)) == (
            expected_ids(passing, query, 12) if passing else []
        )
        listed = collection.items(page_size=1_000, filter=condition).items
        assert [item.id for item in listed] == [item.id for item in passing]

    def test_a_filter_asked_again_knows_what_has_changed(self, collection: Collection) -> None:
        odd, query = parse_filter({"odd": True}), unit_rows(1, DIM, 8)[0]
        items = {item.id: item for item in some_items(40)}
        collection.upsert([*items.values()])
        for round_ in range(4):
            again = Item("item-3", "audio", unit_rows(1, DIM, 20 + round_)[0], {"odd": True})
            collection.upsert([again, *some_items(3, seed=round_, prefix=f"new-{round_}")])
            collection.delete([f"item-{5 + 2 * round_}"])
            items.pop(f"item-{5 + 2 * round_}")
            items.pop("item-3")
            items |= {"item-3": again}
            items |= {it.id: it for it in some_items(3, seed=round_, prefix=f"new-{round_}")}
            passing = [item for item in items.values() if item.metadata["odd"]]
            request = SearchRequest(query, "text", k=50, filter=odd, ranking="cosine")
            assert ids(collection.search(request)) == expected_ids(passing, query, 50)

    def test_fields_may_be_declared_later_and_no_longer(self, collection: Collection) -> None:
        items = some_items(60)
        collection.upsert(items[:40])
        query = unit_rows(1, DIM, 8)[0]
        for fields in (["n", "odd"], ["odd", "deep.list"], []):
            collection.declare(fields)
            assert collection.indexed == tuple(fields)
            collection.upsert(items[40:])
            collection.delete(["item-7"])
            for expression in ({"n": {"$lt": 30}}, {"odd": True}, {"deep.list": None}):
                condition = parse_filter(expression)
                passing = [it for it in items if matches(condition, it) and it.id != "item-7"]
                request = SearchRequest(query, "text", k=60, filter=condition, ranking="cosine")
                assert ids(collection.search(request)) == expected_ids(passing, query, 60)
        with pytest.raises(InvalidQuery, match="'created'"):
            collection.declare(["odd", "created"])
        with pytest.raises(InvalidFilter, match="no empty part"):
            collection.declare(["a..b"])
        collection.declare(["odd"])
        collection = self.reopened(collection)
        assert collection.indexed == ("odd",)
        assert list(collection.damage()) == []

    def test_tells_of_all_items_in_its_indexes(self, collection: Collection) -> None:
        assert collection.stats().segments == {}
        collection.upsert(some_items(90))
        collection.delete([f"item-{i}" for i in range(0, 30, 3)])
        told = collection.stats()
        held = {
            modality: sum(part.rows - part.dead for part in parts)
            for modality, parts in told.segments.items()
        }
        assert held == collection.count() == {"audio": 20, "image": 30, "text": 30}
        assert told.damaged == ()

    def test_lists_in_order_of_storing_page_by_page(self, collection: Collection) -> None:
        items = some_items(25)
        collection.upsert(items[:10])
        collection.upsert(items[10:])
        sizes, seen, token = [], [], ""
        while True:
            page = collection.items(page_size=10, page_token=token)
            sizes.append(len(page.items))
            seen += [item.id for item in page.items]
            token = page.next_page_token
            if not token:
                break
        assert sizes == [10, 10, 5]
        assert seen == [item.id for item in items]
        assert collection.items(page_size=25).next_page_token == ""

    @pytest.mark.parametrize("token", ["x", "é", "YWZ0ZXI=", "YWZ0ZXI6eA==", "MTIz"])
    def test_refuses_tokens_and_sizes_of_its_own_making_only(
        self, collection: Collection, token: str
    ) -> None:
        with pytest.raises(InvalidQuery, match="page_token"):
            collection.items(page_token=token)
        with pytest.raises(InvalidQuery, match="page_size"):
            collection.items(page_size=0)

    def test_refuses_vectors_of_another_length_or_space(self, collection: Collection) -> None:
        wrong, right = unit_rows(1, DIM + 1, 1)[0], unit_rows(1, DIM, 1)[0]
        with pytest.raises(InvalidVector, match="'b' has 17"):
            collection.upsert([Item("a", "image", right), Item("b", "image", wrong)])
        assert collection.count() == {}, "none of a refused batch is stored"
        with pytest.raises(InvalidVector, match="query has 17"):
            collection.search(SearchRequest(wrong, "image"))
        collection.require_space(collection.space_id)
        with pytest.raises(SpaceMismatch, match="other"):
            collection.require_space("other")

    @pytest.mark.parametrize("fields", [{"k": 0}, {"k_per_modality": 0}, {"min_score": np.nan}])
    def test_refuses_numbers_out_of_range(self, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidQuery, match=next(iter(fields))):
            SearchRequest(unit_rows(1, DIM, 1)[0], "text", **fields)

    def test_answers_bit_for_bit_the_same_when_opened_anew(self, collection: Collection) -> None:
        collection.upsert(some_items(200))
        collection.upsert(some_items(50, seed=9))
        collection.delete([f"item-{i}" for i in range(60, 120)])
        queries = unit_rows(FIRST_STEP + 5, DIM, 10)
        for query in queries:
            collection.search(SearchRequest(query, "text"))

        def told(one: Collection) -> list[tuple[object, ...]]:
            return [
                (hit.id, hit.modality, hit.score, hit.calibrated, hit.probability)
                for query in queries[:5]
                for hit in one.search(SearchRequest(query, "text", k=20)).hits
            ]

        before, pages = told(collection), collection.items(page_size=500).items
        facts = (collection.space_id, collection.dim, collection.model, collection.created)
        again = self.reopened(collection)
        assert told(again) == before
        assert [i.id for i in again.items(page_size=500).items] == [i.id for i in pages]
        assert (again.space_id, again.dim, again.model, again.created) == facts
        again.upsert(some_items(3, seed=11, prefix="new"))
        assert sum(again.count().values()) == 143

    def test_calibration_brings_every_modality_in(self, collection: Collection) -> None:
        items = cones(600, 12)
        collection.upsert(items)
        query = cones(3, 13)[2].vector  # a text
        request = SearchRequest(query, "text", k=30)
        by_cosine = collection.search(SearchRequest(query, "text", k=30, ranking="cosine"))
        assert {hit.modality for hit in by_cosine.hits} == {"text"}
        answer = collection.search(request)
        assert answer.ranking == "calibrated"
        assert {hit.modality for hit in answer.hits} == set(MODALITIES)
        for hit in answer.hits:
            mean, std = PRIOR["text", hit.modality]
            assert hit.calibrated == pytest.approx((hit.score - mean) / std)
        calibrated = [hit.calibrated for hit in answer.hits]
        assert calibrated == sorted(calibrated, reverse=True)
        assert ids(collection.search(request)) == ids(answer)

    def test_calibration_learns_the_backgrounds_of_its_own_items(
        self, collection: Collection
    ) -> None:
        items = cones(300, 13)
        collection.upsert(items)
        texts = [item.vector for item in cones(3 * FIRST_STEP, 14) if item.modality == "text"]
        for query in texts:
            collection.search(SearchRequest(query, "text"))
        answer = collection.search(SearchRequest(texts[0], "text", k=300))
        for modality in MODALITIES:
            rows = kept(np.stack([item.vector for item in items if item.modality == modality]))
            seen = Moments()
            for query in texts:
                seen = seen.plus(bulk(rows @ query))
            mean, std = blend(Background(*PRIOR["text", modality]), seen)
            for hit in answer.hits:
                if hit.modality == modality:
                    assert hit.calibrated == pytest.approx((hit.score - mean) / std, abs=1e-4)
        assert {hit.modality for hit in answer.hits[:30]} == set(MODALITIES)

    def test_threads_search_while_others_write(self, collection: Collection) -> None:
        """Every answer must be the exact one for some state between two writes."""
        fixed, vectors = some_items(60, prefix="fixed"), unit_rows(self.beside, DIM, 15)
        collection.upsert(fixed)
        done = threading.Event()

        def write() -> None:
            try:
                for i, vector in enumerate(vectors):
                    collection.upsert([Item("moving", MODALITIES[i % 3], vector, {"version": i})])
                    if i % 5 == 4:
                        collection.delete(["moving"])
            finally:
                done.set()

        def read(seed: int) -> int:
            rng, searches = random.Random(seed), 0
            while not done.is_set():
                query = vectors[rng.randrange(len(vectors))]
                request = SearchRequest(query, "text", k=61, ranking="cosine", include_vectors=True)
                answer = collection.search(request)
                moving = [hit for hit in answer.hits if hit.id == "moving"]
                assert len(answer.hits) - len(moving) == 60
                for hit in moving:
                    version = hit.metadata["version"]
                    assert hit.vector is not None
                    np.testing.assert_array_equal(hit.vector, kept(vectors[version]))
                    assert hit.modality == MODALITIES[version % 3]
                    score = float(query @ kept(vectors[version]))
                    assert hit.score == pytest.approx(score, abs=1e-6)
                searches += 1
            return searches

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read, seed) for seed in range(3)]
            pool.submit(write).result()
        assert all(reader.result() > 0 for reader in readers)

    def test_writers_from_many_threads_lose_nothing(self, collection: Collection) -> None:
        batches = [some_items(10, seed=i, prefix=f"w{i}") for i in range(16)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(collection.upsert, batches))
        assert sum(collection.count().values()) == 160
        for item in batches[7]:
            found = collection.search(SearchRequest(item.vector, "text", ranking="cosine", k=1))
            assert ids(found) == [item.id]
