"""Changes made together come to what they come to when they are made one after another."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.collection import SearchRequest
from indexes.item import Item
from indexes.local.changes import Change, Delete, Upsert
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from tests.indexes.samples import unit_rows

DIM = 8
POOL = unit_rows(32, DIM, 1)
NAMES = st.sampled_from("abcdefg")


def upsert(rows: dict[str, int], now: int) -> Upsert:
    made = (
        Item(name, ("image", "audio")[row % 2], POOL[row], {"row": row})
        for name, row in rows.items()
    )
    return Upsert({item.id: item for item in made}, now)


CHANGES = st.lists(
    st.one_of(
        st.builds(
            upsert, st.dictionaries(NAMES, st.integers(0, 31), max_size=4), st.integers(1, 99)
        ),
        st.builds(lambda ids: Delete(tuple(ids)), st.lists(NAMES, max_size=4, unique=True)),
    ),
    max_size=8,
)


def told(collection: LocalCollection) -> list[object]:
    """Returns all that can be seen of a collection, in order."""
    request = SearchRequest(POOL[0], "text", k=20, ranking="cosine")
    return [
        [(i.id, i.modality, i.metadata, i.created) for i in collection.items().items],
        [(hit.id, hit.modality, hit.score) for hit in collection.search(request).hits],
        collection.count(),
    ]


@settings(max_examples=25, deadline=None)
@given(before=CHANGES, changes=CHANGES)
def test_together_is_as_one_after_another(before: list[Change], changes: list[Change]) -> None:
    folder = Path(tempfile.mkdtemp())
    with FolderStore(folder, Tuning(background=False)) as store:
        for name in ("alone", "together"):
            store.create(name, space_id="s", dim=DIM, model="m")
        alone, together = store.open("alone"), store.open("together")
        assert isinstance(alone, LocalCollection)
        assert isinstance(together, LocalCollection)
        for change in before:
            alone._revisions.change(change)
            together._revisions.change(change)
        deleted = [alone._revisions.change(change) for change in changes]
        assert together._revisions._commit(changes) == deleted
        assert told(together) == told(alone)
    shutil.rmtree(folder)


def test_each_item_of_a_group_has_a_number_of_its_own(tmp_path: Path) -> None:
    with FolderStore(tmp_path, Tuning(background=False)) as store:
        made = store.create("things", space_id="s", dim=DIM, model="m")
        assert isinstance(made, LocalCollection)
        changes = [upsert({f"name-{i}": i % 32}, now=i) for i in range(300)]
        made._revisions._commit(changes)
        assert made._revisions.now.sequence == 300
        assert sum(made.count().values()) == 300
        keys = np.sort(
            np.concatenate([it.keys() for it in made._revisions.now.partitions.values()])
        )
        np.testing.assert_array_equal(keys, np.arange(1, 301))
