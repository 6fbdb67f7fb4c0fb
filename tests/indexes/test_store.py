"""What may be chosen when a collection is created."""

import pytest

from indexes.errors import IndexesError, InvalidFilter, InvalidQuery
from indexes.store import MAX_INDEXED, Options


def test_fields_of_metadata_can_be_indexed() -> None:
    assert Options(indexed=("year", "camera.maker")).indexed == ("year", "camera.maker")


@pytest.mark.parametrize(
    ("indexed", "kind", "message"),
    [
        (("year", "year"), InvalidQuery, "each once"),
        (tuple(str(n) for n in range(MAX_INDEXED + 1)), InvalidQuery, "at most 32 fields"),
        (("created",), InvalidQuery, "not 'created'"),
        (("",), InvalidFilter, "1 to"),
        (("a..b",), InvalidFilter, "no empty part"),
        (("$eq",), InvalidFilter, r"\$and"),
    ],
)
def test_what_no_filter_asks_for_is_not_indexed(
    indexed: tuple[str, ...], kind: type[IndexesError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        Options(indexed=indexed)


@pytest.mark.parametrize("target", [0, -0.1, 1.01, float("nan")])
def test_a_recall_target_is_a_share(target: float) -> None:
    with pytest.raises(InvalidQuery, match="recall_target"):
        Options(recall_target=target)


def test_a_structure_is_one_that_there_is() -> None:
    assert Options(structure="graph").structure == "graph"
    with pytest.raises(InvalidQuery, match=r"structure must be one of .*'graph'.*, got 'tree'"):
        Options(structure="tree")
