"""What is answered, from JSON."""

import base64
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kindred import _answers as answers
from kindred import _stats as stats
from kindred._aliases import Alias
from kindred._content import Modality
from kindred._snapshots import Snapshot

T = TypeVar("T")
JsonObject = dict[str, Any]


def model(found: JsonObject) -> answers.Model:
    """Returns a served model."""
    modalities = tuple(Modality(each) for each in found["modalities"])
    return copied({**found, "modalities": modalities}, answers.Model)


def embeddings(found: JsonObject) -> answers.Embeddings:
    """Returns vectors and errors."""
    return answers.Embeddings(
        model=found["model"],
        space=found["space"],
        results=tuple(_embedding(each) for each in found["data"]),
        units=found["usage"]["total_tokens"],
        timing_ms=copied(found["timing_ms"], answers.TimingMs),
    )


def _embedding(found: JsonObject) -> answers.Embedding:
    if error := _error(found):
        return answers.Embedding(found["index"], error=error)
    packed = base64.b64decode(found["embedding"])
    return answers.Embedding(
        index=found["index"],
        vector=np.frombuffer(packed, dtype="<f4").astype(np.float32),
        modality=Modality(found["modality"]),
        treatment=copied(found, answers.Treatment),
        windows=tuple(_window(each) for each in found.get("window_embeddings", ())),
    )


def _window(found: JsonObject) -> answers.WindowEmbedding:
    packed = np.frombuffer(base64.b64decode(found["embedding"]), dtype="<f4")
    return answers.WindowEmbedding(copied(found, answers.Window), packed.astype(np.float32))


def ranked(found: JsonObject) -> answers.Ranked:
    """Returns ranked candidates."""
    return answers.Ranked(
        model=found["model"],
        space=found["space"],
        candidates=tuple(copied(each, answers.RankedCandidate) for each in found["candidates"]),
        timing_ms=copied(found["timing_ms"], answers.TimingMs),
    )


def collection(found: JsonObject) -> answers.Collection:
    """Returns a collection."""
    made = {
        "created": datetime.fromisoformat(found["created"]),
        "indexed": tuple(found["indexed"]),
        "stats": _stats(found["stats"]) if "stats" in found else None,
    }
    return copied({**found, **made}, answers.Collection)


def alias(found: JsonObject) -> Alias:
    """Returns a name that stands for a collection."""
    return copied({"previous": None, **found}, Alias)


def snapshot(found: JsonObject) -> Snapshot:
    """Returns a snapshot."""
    created = datetime.fromisoformat(found["created"])
    return copied({**found, "created": created}, Snapshot)


def _stats(found: JsonObject) -> stats.CollectionStats:
    return stats.CollectionStats(
        segments={
            Modality(modality): tuple(copied(each, stats.SegmentStats) for each in segments)
            for modality, segments in found["segments"].items()
        },
        recall=tuple(_recall(each) for each in found["recall"]),
        building=tuple(Modality(each) for each in found["building"]),
        damaged=tuple(found["damaged"]),
    )


def _recall(found: JsonObject) -> stats.RecallStats:
    return stats.RecallStats(
        query_modality=Modality(found["query_modality"]),
        modality=Modality(found["modality"]),
        target=found["target"],
        measured=found.get("measured"),
        queries=found["queries"],
        effort=found["effort"],
    )


def item_results(found: JsonObject) -> answers.ItemResults:
    """Returns what became of items."""
    results = tuple(_item_result(each) for each in found["results"])
    return answers.ItemResults(results, _collection_of(found))


def _item_result(found: JsonObject) -> answers.ItemResult:
    modality = found.get("modality")
    return answers.ItemResult(
        index=found["index"],
        id=found.get("id"),
        modality=Modality(modality) if modality else None,
        treatment=copied(found, answers.Treatment),
        error=_error(found),
    )


def item_page(found: JsonObject) -> answers.ItemPage:
    """Returns one page of items."""
    items = tuple(item(each) for each in found["items"])
    return answers.ItemPage(items, found["next_page_token"], _collection_of(found))


def _collection_of(found: JsonObject) -> str:
    """Returns the collection that answered; an older server does not tell."""
    return str(found.get("collection", ""))


def item(found: JsonObject) -> answers.StoredItem:
    """Returns a stored item."""
    return answers.StoredItem(
        id=found["id"],
        modality=Modality(found["modality"]),
        metadata=found["metadata"],
        created=datetime.fromisoformat(found["created"]),
        has_content=found["has_content"],
        vector=_vector(found),
    )


def search_answer(found: JsonObject) -> answers.SearchAnswer:
    """Returns hits."""
    return answers.SearchAnswer(
        collection=_collection_of(found),
        hits=tuple(hit(each) for each in found["hits"]),
        space=found["space"],
        index=found["index"],
        exact=found["exact"],
        ranking=found["ranking"],
        treatments=tuple(copied(each, answers.Treatment) for each in found["treatments"]),
        timing_ms=copied(found["timing_ms"], answers.TimingMs),
    )


def hit(found: JsonObject) -> answers.Hit:
    """Returns an item that was found."""
    return answers.Hit(
        id=found["id"],
        modality=Modality(found["modality"]),
        score=found["score"],
        calibrated=found["calibrated"],
        probability=found["probability"],
        metadata=found["metadata"],
        has_content=found["has_content"],
        vector=_vector(found),
        at=copied(found["at"], answers.Window) if "at" in found else None,
    )


def _vector(found: JsonObject) -> NDArray[np.float32] | None:
    values = found.get("vector")
    return None if values is None else np.array(values, dtype=np.float32)


def _error(found: JsonObject) -> answers.ItemError | None:
    error = found.get("error")
    return copied(error, answers.ItemError) if error else None


def copied(found: JsonObject, cls: type[T]) -> T:
    """Returns the dataclass whose fields have the names of the object's; the rest is left out."""
    names = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in found.items() if name in names})
