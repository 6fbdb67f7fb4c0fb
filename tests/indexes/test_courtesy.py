"""Writers let searches go first, but never stop."""

import threading
import time
from pathlib import Path

from indexes.item import Item
from indexes.local.collection import LocalCollection, Shared
from indexes.local.courtesy import Courtesy
from indexes.truth.ledger import Ledger
from tests.indexes.samples import unit_rows
from tests.indexes.test_ledger import FACTS

_LONG = 60.0
"""Seconds that no test takes."""


class _Counted(Courtesy):
    """Counts how often a writer asks."""

    times = 0

    def give_way(self) -> None:
        self.times += 1


def test_a_writer_goes_on_when_the_search_that_is_under_way_has_ended() -> None:
    courtesy, order = Courtesy(moment=0, patience=_LONG), list[str]()

    def write() -> None:
        courtesy.give_way()
        order.append("wrote")

    writer = threading.Thread(target=write)
    with courtesy.search():
        writer.start()
        writer.join(0.05)
        order.append("found")
    writer.join()
    assert order == ["found", "wrote"]


def test_a_writer_that_has_just_rested_works_for_a_moment() -> None:
    courtesy = Courtesy(moment=_LONG, patience=_LONG)
    courtesy.give_way()
    with courtesy.search():
        began = time.monotonic()
        courtesy.give_way()
        assert time.monotonic() - began < _LONG / 2


def test_a_writer_waits_for_nobody_where_nobody_searches() -> None:
    courtesy = Courtesy(moment=0, patience=_LONG)
    with courtesy.search():
        pass
    began = time.monotonic()
    courtesy.give_way()
    assert time.monotonic() - began < _LONG / 2


def test_a_search_that_does_not_end_stops_nobody() -> None:
    courtesy = Courtesy(moment=0, patience=0.001)
    with courtesy.search():
        began = time.monotonic()
        for _ in range(3):
            courtesy.give_way()
        assert 0.003 <= time.monotonic() - began < _LONG / 2


def test_every_statement_of_a_collections_writer_gives_way(tmp_path: Path) -> None:
    courtesy = _Counted()
    Ledger.create(tmp_path / "c.sqlite3", FACTS)
    collection = LocalCollection(tmp_path / "c.sqlite3", "c", shared=Shared(courtesy=courtesy))
    before = courtesy.times
    rows = unit_rows(200, FACTS.dim, 1)
    collection.upsert([Item(str(i), "image", row) for i, row in enumerate(rows)])
    assert courtesy.times - before >= 2 * 200 // 64  # items and vectors, 64 a statement
    before = courtesy.times
    assert collection.get("7").id == "7"
    assert courtesy.times == before
    collection.close()
