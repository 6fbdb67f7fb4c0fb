"""What every store owes its aliases."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from indexes.errors import (
    AliasMoved,
    AliasNotFound,
    CollectionAliased,
    CollectionExists,
    CollectionNotFound,
    InvalidName,
)
from indexes.store import Store
from tests.indexes.collection_contract import DIM


class AliasContract:
    """Inherited once for each kind of store."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        """Says where the store is."""
        return str(tmp_path / "store")

    @abstractmethod
    def opened(self) -> Store:
        """Opens the store that is there, again where it was open before."""

    @pytest.fixture(autouse=True)
    def _filled(self, place: str) -> Iterator[None]:
        self.address = place
        with ExitStack() as self._stores:
            self.store = self._stores.enter_context(self.opened())
            for name in ("one", "two-2", "three_3"):
                self.store.create(name, space_id="space", dim=DIM, model="model")
            yield

    def reopened(self) -> Store:
        self._stores.close()
        return self._stores.enter_context(self.opened())

    def test_an_alias_stands_for_a_collection_until_it_is_pointed_elsewhere(self) -> None:
        store = self.store
        assert store.aliases() == {}
        assert store.point("now-1", "one") is None
        assert store.point("b_b", "one") is None
        assert store.point("now-1", "two-2") == "one"
        assert store.point("now-1", "two-2") == "two-2"
        assert store.aliases() == {"b_b": "one", "now-1": "two-2"}
        named = ("now-1", "b_b", "one", "none", "../no", "")
        assert [store.resolve(name) for name in named] == ["two-2", "one", *named[2:]]
        assert store.list() == ("one", "three_3", "two-2")
        again = self.reopened()
        assert again.aliases() == {"b_b": "one", "now-1": "two-2"}
        assert again.open(again.resolve("now-1")).name == "two-2"

    def test_a_name_is_a_collections_or_an_aliass(self) -> None:
        store = self.store
        store.point("now", "one")
        with pytest.raises(CollectionExists, match="'now'"):
            store.create("now", space_id="space", dim=DIM, model="model")
        for taken in ("one", "three_3"):
            with pytest.raises(CollectionExists, match=f"'{taken}'"):
                store.point(taken, "two-2")
        for act in (store.open, store.delete):
            with pytest.raises(CollectionNotFound, match="'now'"):
                act("now")
        with pytest.raises(CollectionNotFound, match="'now'"):
            store.point("then", "now")
        with pytest.raises(CollectionNotFound, match="'none'"):
            store.point("now", "none")
        with pytest.raises(InvalidName, match="63"):
            store.point("No!", "one")
        assert store.aliases() == {"now": "one"}

    def test_a_collection_with_an_alias_is_not_deleted(self) -> None:
        store = self.store
        for alias in ("now", "also"):
            store.point(alias, "one")
        with pytest.raises(CollectionAliased, match=r"'one' .*: also, now"):
            store.delete("one")
        store.point("also", "two-2")
        store.unalias("now")
        store.delete("one")
        assert store.list() == ("three_3", "two-2")
        assert self.reopened().aliases() == {"also": "two-2"}

    def test_an_alias_that_is_deleted_is_a_name_like_any_other(self) -> None:
        store = self.store
        store.point("now", "one")
        store.unalias("now")
        assert store.resolve("now") == "now"
        with pytest.raises(AliasNotFound, match="'now'"):
            store.unalias("now")
        with pytest.raises(AliasNotFound, match="'one'"):
            store.unalias("one")
        store.create("now", space_id="space", dim=DIM, model="model")
        assert store.list() == ("now", "one", "three_3", "two-2")

    def test_it_is_pointed_on_only_from_where_it_is_thought_to_be(self) -> None:
        store = self.store
        assert store.point("now", "one", expected="two-2") is None  # it stands for nothing yet
        assert store.point("now", "two-2", expected="one") == "one"
        assert store.point("now", "two-2", expected="one") == "two-2"  # done before
        with pytest.raises(AliasMoved, match=r"must stand for 'one'.* stands for 'two-2'"):
            store.point("now", "three_3", expected="one")
        assert store.aliases() == {"now": "two-2"}
