"""What a client is answered: `service.messages` to `kindred.v1`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from embedder.base import Treatment
from embedder.media import Modality
from embedder.windows import Window
from indexes.stats import RecallStats, Stats
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import content_pb2 as content_pb
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import stats_pb2 as stats_pb
from service import messages
from service.conditioning.messages import Score, ScoreAnswer

_MODALITIES: Mapping[Modality, content_pb.Modality] = {
    Modality.TEXT: content_pb.MODALITY_TEXT,
    Modality.IMAGE: content_pb.MODALITY_IMAGE,
    Modality.AUDIO: content_pb.MODALITY_AUDIO,
}
_RANKINGS: Mapping[messages.Ranking, collections_pb.Ranking] = {
    "calibrated": collections_pb.RANKING_CALIBRATED,
    "cosine": collections_pb.RANKING_COSINE,
}


def model(info: messages.ModelInfo) -> models_pb.Model:
    """Returns a served model."""
    return models_pb.Model(
        name=info.name,
        modalities=[_MODALITIES[each] for each in info.modalities],
        dim=info.dim,
        space=info.space,
        parameters=info.parameters,
        licence=info.licence,
        description=info.description,
        runtime=info.runtime,
        device=info.device,
        limits=dict(info.limits),
        non_commercial=info.non_commercial,
        precision=info.precision,
        fidelity=info.fidelity,
    )


def embed_response(answer: messages.EmbedAnswer) -> embeddings_pb.EmbedResponse:
    """Returns vectors and errors, one result for each content."""
    return embeddings_pb.EmbedResponse(
        model=answer.model,
        space=answer.space,
        results=[embed_result(result, result.index) for result in answer.results],
        units=answer.units,
        timing_ms=timing(answer.timing_ms),
    )


def embed_result(result: messages.Embedded, index: int) -> embeddings_pb.EmbedResult:
    """Returns a vector or the error that took its place."""
    if result.error is not None:
        return embeddings_pb.EmbedResult(index=index, error=error(result.error))
    embedding = embeddings_pb.Embedding(
        vector=_vector(result.vector, result.modality),
        treatment=treatment(result.treatment),
        window_embeddings=_windows(result),
    )
    return embeddings_pb.EmbedResult(index=index, embedding=embedding)


def _windows(result: messages.Embedded) -> list[embeddings_pb.WindowEmbedding]:
    if result.windows is None:
        return []
    pairs = zip(result.windows.windows, result.windows.vectors, strict=True)
    return [
        embeddings_pb.WindowEmbedding(
            window=_window(window), vector=_vector(vector, result.modality)
        )
        for window, vector in pairs
    ]


def rank_response(answer: messages.RankAnswer) -> embeddings_pb.RankResponse:
    """Returns ranked candidates."""
    return embeddings_pb.RankResponse(
        model=answer.model,
        space=answer.space,
        candidates=[embeddings_pb.RankedCandidate(**asdict(each)) for each in answer.candidates],
        timing_ms=timing(answer.timing_ms),
    )


def collection(info: messages.CollectionInfo) -> collections_pb.Collection:
    """Returns a collection."""
    return collections_pb.Collection(
        name=info.name,
        model=info.model,
        space=info.space,
        dim=info.dim,
        counts=dict(info.counts),
        index=info.index,
        bytes=info.bytes,
        create_time=timestamp(info.created),
        indexed=info.indexed,
        recall_target=info.recall_target,
        structure=info.structure,
        stats=None if info.stats is None else _stats(info.stats),
    )


def _stats(stats: Stats) -> stats_pb.CollectionStats:
    indexes = [
        stats_pb.ModalityIndex(
            modality=_MODALITIES[Modality(modality)],
            segments=[stats_pb.SegmentStats(**asdict(each)) for each in segments],
        )
        for modality, segments in stats.segments.items()
    ]
    return stats_pb.CollectionStats(
        indexes=indexes,
        recall=[_recall(each) for each in stats.recall],
        building=[_MODALITIES[Modality(each)] for each in stats.building],
        damaged=stats.damaged,
    )


def _recall(recall: RecallStats) -> stats_pb.RecallStats:
    return stats_pb.RecallStats(
        query_modality=_MODALITIES[Modality(recall.query_modality)],
        modality=_MODALITIES[Modality(recall.modality)],
        target=recall.target,
        measured=recall.measured,
        queries=recall.queries,
        effort=recall.effort,
    )


def snapshot(info: messages.SnapshotInfo) -> snapshots_pb.Snapshot:
    """Returns a snapshot."""
    return snapshots_pb.Snapshot(
        name=info.name,
        collection=info.collection,
        model=info.model,
        space=info.space,
        items=info.items,
        bytes=info.bytes,
        create_time=timestamp(info.created),
    )


def item_results(answer: messages.ItemResults) -> dict[str, Any]:
    """Returns the fields that the answers to upsert and delete share."""
    return {
        "collection": answer.collection,
        "results": [_item_result(result) for result in answer.results],
        "ok": answer.ok,
        "failed": answer.failed,
    }


def _item_result(result: messages.ItemResult) -> collections_pb.ItemResult:
    return collections_pb.ItemResult(
        index=result.index,
        id=result.id,
        modality=modality(result.modality),
        treatment=treatment(result.treatment),
        error=None if result.error is None else error(result.error),
    )


def item(stored: messages.StoredItem) -> collections_pb.Item:
    """Returns a stored item."""
    return collections_pb.Item(
        id=stored.id,
        modality=modality(stored.modality),
        metadata=struct(stored.metadata),
        create_time=timestamp(stored.created),
        has_content=stored.has_content,
        vector=_vector(stored.vector, stored.modality),
    )


def search_response(answer: messages.SearchAnswer) -> collections_pb.SearchItemsResponse:
    """Returns hits."""
    return collections_pb.SearchItemsResponse(
        collection=answer.collection,
        hits=[hit(found) for found in answer.hits],
        space=answer.space,
        index=answer.index,
        exact=answer.exact,
        ranking=_RANKINGS[answer.ranking],
        treatments=[treatment(each) for each in answer.treatments],
        timing_ms=timing(answer.timing_ms),
    )


def score_response(answer: ScoreAnswer) -> collections_pb.ScoreItemsResponse:
    """Returns how usual contents are."""
    return collections_pb.ScoreItemsResponse(
        collection=answer.collection,
        space=answer.space,
        results=[_score(each) for each in answer.scores],
        densities=[
            collections_pb.Density(**{**asdict(each), "modality": modality(each.modality)})
            for each in answer.densities
        ],
        timing_ms=timing(answer.timing_ms),
    )


def _score(score: Score) -> collections_pb.ScoreResult:
    if score.error:
        return collections_pb.ScoreResult(index=score.index, error=error(score.error))
    facts = {**asdict(score), "modality": modality(score.modality)}
    for name in ("index", "error"):
        del facts[name]
    return collections_pb.ScoreResult(index=score.index, score=collections_pb.Score(**facts))


def hit(found: messages.SearchHit) -> collections_pb.SearchHit:
    """Returns an item that was found."""
    return collections_pb.SearchHit(
        id=found.id,
        modality=modality(found.modality),
        score=found.score,
        calibrated=found.calibrated,
        probability=found.probability,
        metadata=struct(found.metadata),
        has_content=found.has_content,
        vector=_vector(found.vector, found.modality),
        at=_window(found.at) if found.at else None,
    )


def error(found: messages.ItemError) -> content_pb.Error:
    """Returns the error of one item."""
    return content_pb.Error(**asdict(found))


def modality(known: Modality | None) -> content_pb.Modality:
    """Returns the number of a modality, or that of none."""
    return content_pb.MODALITY_UNSPECIFIED if known is None else _MODALITIES[known]


def _vector(values: NDArray[np.float32] | None, known: Modality | None) -> content_pb.Vector | None:
    if values is None:
        return None
    return content_pb.Vector(values=values.tolist(), modality=modality(known))


def _window(window: Window) -> content_pb.Window:
    return content_pb.Window(start=window.start, end=window.end)


def treatment(done: Treatment) -> content_pb.Treatment:
    """Returns what preprocessing did."""
    return content_pb.Treatment(
        truncated=done.truncated,
        resampled=done.resampled,
        padded=done.padded,
        windows=done.windows,
    )


def timing(spent: messages.TimingMs) -> content_pb.TimingMs:
    """Returns where the time went."""
    return content_pb.TimingMs(
        decode=spent.decode,
        queue=spent.queue,
        embed=spent.embed,
        search=spent.search,
        total=spent.total,
    )


def timestamp(iso: str | None) -> Timestamp | None:
    """Returns a time, or None for what has not happened."""
    if not iso:
        return None
    time = Timestamp()
    time.FromJsonString(iso)
    return time


def struct(fields: messages.Metadata) -> Struct:
    """Returns a JSON object."""
    made = Struct()
    made.update(fields)
    return made
