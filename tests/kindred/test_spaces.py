"""Vectors of one space are never compared with another's: on real sockets, over both wires."""

from pathlib import Path

import numpy as np
import pytest

from kindred import Embeddings, ItemInput, ItemResults, KindredError, Snapshot, Vector
from tests.embedder.open_clip_folders import write_folder
from tests.fakes import DIM, FakeEmbedder
from tests.kindred.servers import serving
from tests.kindred.wires import Ask, asks

A, B = FakeEmbedder(name="a"), FakeEmbedder(name="b", gap=1)


def require_mismatch(answer: object, *words: str) -> None:
    """Requires SPACE_MISMATCH with a message that holds these words."""
    assert isinstance(answer, KindredError), answer
    assert answer.reason == "SPACE_MISMATCH"
    for word in words:
        assert word in str(answer), answer


def vector_of(ask: Ask, model: str) -> Vector:
    """Returns the vector of a text as one of the models makes it, with the space it says."""
    found = ask("embed", "red", model=model)
    assert isinstance(found, Embeddings)
    return Vector(found.vectors[0], "text", space=found.space)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a collection of A's space and a snapshot of it, and the snapshot's name."""
    folder = tmp_path_factory.mktemp("spaces")
    with serving(folder, [A]) as found:
        ask = asks(found)["Client, REST"]
        ask("create_collection", "of-a", model="a")
        ask("upsert", "of-a", [ItemInput("red", "red"), ItemInput("blue", "blue")])
        taken = ask("take_snapshot", "of-a")
        assert isinstance(taken, Snapshot)
        return folder, taken.name


def test_each_collection_answers_by_its_own_model(stored: tuple[Path, str]) -> None:
    with serving(stored[0], [B, A]) as found:
        every = asks(found)
        every["Client, gRPC"]("create_collection", "of-b", model="b")
        for ask in every.values():
            assert ask("get_model", "a").space != ask("get_model", "b").space
            assert ask("search", "of-a", "red").space == A.space.id
            assert ask("search", "of-b", "red").space == B.space.id
            own, foreign = vector_of(ask, "a"), vector_of(ask, "b")
            assert ask("search", "of-a", own).hits[0].id == "red"
            require_mismatch(ask("search", "of-a", foreign), A.space.id, "(a)", B.space.id)
            done = ask("upsert", "of-a", [ItemInput(foreign, "x"), ItemInput("green", "green")])
            assert isinstance(done, ItemResults)
            assert [failed.id for failed in done.failed] == ["x"]
            assert done.failed[0].error is not None
            assert done.failed[0].error.reason == "SPACE_MISMATCH"
            require_mismatch(ask("embed", foreign, model="a"), B.space.id)


def test_a_space_that_nobody_serves_is_refused_with_what_to_do(stored: tuple[Path, str]) -> None:
    folder, snapshot = stored
    told = (A.space.id, B.space.id, "Serve a as well")
    with serving(folder, [B]) as found:
        for ask in asks(found).values():
            require_mismatch(ask("search", "of-a", "red"), *told)
            require_mismatch(ask("search", "of-a", Vector(np.ones(DIM), "text")), *told)
            require_mismatch(ask("upsert", "of-a", [ItemInput("red", "more")]), *told)
            require_mismatch(ask("restore_snapshot", snapshot, collection="again"), *told)
            assert "again" not in [each.name for each in ask("list_collections")]
            assert ask("get_item", "of-a", "red").id == "red"


def test_a_swapped_checkpoint_under_an_old_name_is_caught(tmp_path: Path) -> None:
    folder, data = tmp_path / "vit", tmp_path / "data"
    name = f"open_clip:local-dir:{write_folder(folder, 'vit')}"
    options = {"models": (name,), "threads": 1}
    with serving(data, (), **options) as found:
        ask = asks(found)["Client, REST"]
        before = ask("get_model", name).space
        ask("create_collection", "photos")
        ask("upsert", "photos", [ItemInput("a dog", "dog")])
    other = write_folder(tmp_path / "other", "vit", seed=1)
    weights = "open_clip_pytorch_model.bin"
    (folder / weights).write_bytes((other / weights).read_bytes())
    with serving(data, (), **options) as found:
        for ask in asks(found).values():
            now = ask("get_model", name).space
            told = (before, now, f"preprocessing of {name} are not those", "put the old ones back")
            require_mismatch(ask("search", "photos", "a dog"), *told, "index the media again")
            require_mismatch(ask("upsert", "photos", [ItemInput("a cat", "cat")]), *told)
