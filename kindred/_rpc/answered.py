"""What is answered, from messages of `kindred.v1`."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from kindred import _answers as answers
from kindred import _stats as stats
from kindred._aliases import Alias
from kindred._content import Modality
from kindred._snapshots import Snapshot
from kindred.v1 import alias_service_pb2 as aliases_pb
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import content_pb2 as content_pb
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import stats_pb2 as stats_pb

T = TypeVar("T")

_WHOLE = 2.0**53
"""Up to here a double holds every whole number (IEEE 754)."""


def json_object(struct: Struct) -> dict[str, Any]:
    """Returns a JSON object with whole numbers as integers, as JSON would have written them."""
    return {key: _whole(each) for key, each in MessageToDict(struct).items()}


def _whole(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case list():
            return [_whole(each) for each in value]
        case float() if value.is_integer() and abs(value) <= _WHOLE:
            return int(value)
        case _:
            return value


def copied(message: Any, cls: type[T]) -> T:  # noqa: ANN401 - any message
    """Returns the dataclass whose fields have the names of the message's."""
    """Returns the dataclass whose fields have the names of the message's."""
    return cls(**{each.name: getattr(message, each.name) for each in fields(cls)})  # type: ignore[arg-type]


def modality(number: int) -> Modality:
    """Returns the modality of a number."""
    return Modality(content_pb.Modality.Name(number).removeprefix("MODALITY_").lower())


def _vector(message: content_pb.Vector) -> NDArray[np.float32]:
    return np.array(message.values, dtype=np.float32)


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)


def _error(message: Any) -> answers.ItemError | None:  # noqa: ANN401 - any message with an error
    return copied(message.error, answers.ItemError) if message.HasField("error") else None


def model(message: models_pb.Model) -> answers.Model:
    return answers.Model(
        name=message.name,
        modalities=tuple(modality(number) for number in message.modalities),
        dim=message.dim,
        space=message.space,
        parameters=message.parameters,
        licence=message.licence,
        description=message.description,
        runtime=message.runtime,
        device=message.device,
        limits=dict(message.limits),
        non_commercial=message.non_commercial,
        precision=message.precision,
        fidelity=message.fidelity,
    )


def embeddings(message: embeddings_pb.EmbedResponse) -> answers.Embeddings:
    return answers.Embeddings(
        model=message.model,
        space=message.space,
        results=tuple(_embedding(result) for result in message.results),
        units=message.units,
        timing_ms=copied(message.timing_ms, answers.TimingMs),
    )


def _embedding(message: embeddings_pb.EmbedResult) -> answers.Embedding:
    if error := _error(message):
        return answers.Embedding(message.index, error=error)
    return answers.Embedding(
        index=message.index,
        vector=_vector(message.embedding.vector),
        modality=modality(message.embedding.vector.modality),
        treatment=copied(message.embedding.treatment, answers.Treatment),
        windows=tuple(
            answers.WindowEmbedding(copied(each.window, answers.Window), _vector(each.vector))
            for each in message.embedding.window_embeddings
        ),
    )


def ranked(message: embeddings_pb.RankResponse) -> answers.Ranked:
    return answers.Ranked(
        model=message.model,
        space=message.space,
        candidates=tuple(copied(each, answers.RankedCandidate) for each in message.candidates),
        timing_ms=copied(message.timing_ms, answers.TimingMs),
    )


def collection(message: collections_pb.Collection) -> answers.Collection:
    return answers.Collection(
        name=message.name,
        model=message.model,
        space=message.space,
        dim=message.dim,
        counts=dict(message.counts),
        index=message.index,
        bytes=message.bytes,
        created=_time(message.create_time),
        indexed=tuple(message.indexed),
        recall_target=message.recall_target,
        structure=message.structure,
        stats=_stats(message.stats) if message.HasField("stats") else None,
    )


def alias(message: aliases_pb.Alias) -> Alias:
    """Returns a name that stands for a collection."""
    previous = message.previous if message.HasField("previous") else None
    return Alias(message.name, message.collection, previous)


def snapshot(message: snapshots_pb.Snapshot) -> Snapshot:
    return Snapshot(
        name=message.name,
        collection=message.collection,
        model=message.model,
        space=message.space,
        items=message.items,
        bytes=message.bytes,
        created=_time(message.create_time),
    )


def _stats(message: stats_pb.CollectionStats) -> stats.CollectionStats:
    return stats.CollectionStats(
        segments={
            modality(index.modality): tuple(
                copied(each, stats.SegmentStats) for each in index.segments
            )
            for index in message.indexes
        },
        recall=tuple(_recall(each) for each in message.recall),
        building=tuple(modality(each) for each in message.building),
        damaged=tuple(message.damaged),
    )


def _recall(message: stats_pb.RecallStats) -> stats.RecallStats:
    return stats.RecallStats(
        query_modality=modality(message.query_modality),
        modality=modality(message.modality),
        target=message.target,
        measured=message.measured if message.HasField("measured") else None,
        queries=message.queries,
        effort=message.effort,
    )


def item_results(
    message: collections_pb.UpsertItemsResponse | collections_pb.DeleteItemsResponse,
) -> answers.ItemResults:
    results = tuple(_item_result(each) for each in message.results)
    return answers.ItemResults(results, message.collection)


def _item_result(message: collections_pb.ItemResult) -> answers.ItemResult:
    return answers.ItemResult(
        index=message.index,
        id=message.id if message.HasField("id") else None,
        modality=modality(message.modality) if message.modality else None,
        treatment=copied(message.treatment, answers.Treatment),
        error=_error(message),
    )


def item_page(message: collections_pb.ListItemsResponse) -> answers.ItemPage:
    items = tuple(item(each) for each in message.items)
    return answers.ItemPage(items, message.next_page_token, message.collection)


def item(message: collections_pb.Item) -> answers.StoredItem:
    return answers.StoredItem(
        id=message.id,
        modality=modality(message.modality),
        metadata=json_object(message.metadata),
        created=_time(message.create_time),
        has_content=message.has_content,
        vector=_vector(message.vector) if message.HasField("vector") else None,
    )


def search_answer(message: collections_pb.SearchItemsResponse) -> answers.SearchAnswer:
    by_calibrated = message.ranking == collections_pb.RANKING_CALIBRATED
    return answers.SearchAnswer(
        collection=message.collection,
        hits=tuple(hit(each) for each in message.hits),
        space=message.space,
        index=message.index,
        exact=message.exact,
        ranking="calibrated" if by_calibrated else "cosine",
        treatments=tuple(copied(each, answers.Treatment) for each in message.treatments),
        timing_ms=copied(message.timing_ms, answers.TimingMs),
    )


def hit(message: collections_pb.SearchHit) -> answers.Hit:
    """Returns an item that was found."""
    return answers.Hit(
        id=message.id,
        modality=modality(message.modality),
        score=message.score,
        calibrated=message.calibrated,
        probability=message.probability,
        metadata=json_object(message.metadata),
        has_content=message.has_content,
        at=copied(message.at, answers.Window) if message.HasField("at") else None,
        vector=_vector(message.vector) if message.HasField("vector") else None,
    )
