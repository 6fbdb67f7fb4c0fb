"""What is asked, as messages of `kindred.v1`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import Parse
from google.protobuf.struct_pb2 import Struct

from kindred import _answers as answers
from kindred import _calls as calls
from kindred import _snapshots as snapshots
from kindred._content import (
    Audio,
    Content,
    Image,
    Item,
    Modality,
    Parts,
    Text,
    Vector,
    content_of,
    contents_of,
    item_of,
    json_text,
    parts_of,
)
from kindred._errors import InvalidArgument
from kindred._rpc.answered import json_object
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import content_pb2 as content_pb
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import snapshot_service_pb2 as snapshots_pb

T = TypeVar("T")

_MODALITIES: Mapping[Modality, content_pb.Modality] = {
    Modality.TEXT: content_pb.MODALITY_TEXT,
    Modality.IMAGE: content_pb.MODALITY_IMAGE,
    Modality.AUDIO: content_pb.MODALITY_AUDIO,
}
_RANKINGS: Mapping[answers.Ranking | None, collections_pb.Ranking] = {
    None: collections_pb.RANKING_UNSPECIFIED,
    "calibrated": collections_pb.RANKING_CALIBRATED,
    "cosine": collections_pb.RANKING_COSINE,
}
_ON_ERROR: Mapping[str, embeddings_pb.OnError] = {
    "request": embeddings_pb.ON_ERROR_REQUEST,
    "item": embeddings_pb.ON_ERROR_ITEM,
}


def embed(call: calls.Embed) -> embeddings_pb.EmbedRequest:
    return embeddings_pb.EmbedRequest(
        model=call.model,
        contents=[content_message(each) for each in contents_of(call.contents)],
        dimensions=call.dimensions,
        on_error=choice(call.on_error, _ON_ERROR, "on_error"),
        windows=call.windows,
    )


def rank(call: calls.Rank) -> embeddings_pb.RankRequest:
    return embeddings_pb.RankRequest(
        model=call.model,
        query=content_message(content_of(call.query)),
        candidates=[content_message(each) for each in contents_of(call.candidates)],
    )


def create_collection(call: calls.CreateCollection) -> collections_pb.CreateCollectionRequest:
    return collections_pb.CreateCollectionRequest(
        name=call.name,
        model=call.model,
        indexed=call.indexed,
        recall_target=call.recall_target,
        structure=call.structure,
    )


def get_collection(call: calls.GetCollection) -> collections_pb.GetCollectionRequest:
    view = collections_pb.COLLECTION_VIEW_FULL if call.with_stats else None
    return collections_pb.GetCollectionRequest(name=call.name, view=view)


def update_collection(call: calls.UpdateCollection) -> collections_pb.UpdateCollectionRequest:
    return collections_pb.UpdateCollectionRequest(
        collection=collections_pb.Collection(name=call.name, indexed=call.indexed),
        update_mask=FieldMask(paths=["indexed"]),
    )


def upsert(call: calls.Upsert) -> collections_pb.UpsertItemsRequest:
    items = [
        collections_pb.ItemInput(
            id=item.id,
            content=content_message(content_of(item.content)),
            metadata=_struct(item.metadata),
        )
        for item in map(item_of, call.items)
    ]
    return collections_pb.UpsertItemsRequest(
        collection=call.collection, items=items, windows=call.windows
    )


def list_items(call: calls.ListItems) -> collections_pb.ListItemsRequest:
    return collections_pb.ListItemsRequest(
        collection=call.collection,
        page_size=call.page_size,
        page_token=call.page_token,
        filter=_struct(call.filter),
        with_vectors=call.with_vectors,
    )


def search(call: calls.Search) -> collections_pb.SearchItemsRequest:
    return collections_pb.SearchItemsRequest(
        collection=call.collection,
        query=weighted(call.query),
        k=call.k,
        modalities=[choice(each, _MODALITIES, "modality") for each in call.modalities],
        k_per_modality=call.k_per_modality,
        filter=_struct(call.filter),
        min_score=call.min_score,
        ranking=choice(call.ranking, _RANKINGS, "ranking"),
        with_vectors=call.with_vectors,
        exact=call.exact,
    )


def upload_snapshot(
    call: snapshots.UploadSnapshot,
) -> Iterator[snapshots_pb.UploadSnapshotRequest]:
    yield snapshots_pb.UploadSnapshotRequest(name=call.name)
    for piece in call.pieces:
        yield snapshots_pb.UploadSnapshotRequest(data=piece)


def weighted(parts: Parts) -> list[collections_pb.QueryPart]:
    """Returns contents and their weights."""
    return [
        collections_pb.QueryPart(content=content_message(each), weight=weight)
        for each, weight in parts_of(parts)
    ]


def content_message(content: Content) -> content_pb.Content:
    """Asks about a content."""
    match content:
        case Text():
            return content_pb.Content(text=content.text)
        case Image():
            return content_pb.Content(image=content.data)
        case Audio():
            return content_pb.Content(audio=content.data)
        case Item():
            return content_pb.Content(item_id=content.id)
        case Vector():
            values, modality = content.values.tolist(), _MODALITIES[content.modality]
            vector = content_pb.Vector(values=values, modality=modality, space=content.space)
            return content_pb.Content(vector=vector)


def choice(given: Any, table: Mapping[Any, T], name: str) -> T:  # noqa: ANN401 - checked here
    if given not in table:
        known = ", ".join(repr(str(each)) for each in table if each is not None)
        raise InvalidArgument(f"{name} must be one of {known}, got {given!r}")
    return table[given]


def _struct(given: Mapping[str, Any] | None) -> Struct | None:
    """Returns a JSON object as a Struct.

    Raises:
        InvalidArgument: If it is none, or has an integer that no double holds.
    """
    if given is None:
        return None
    text = json_text(given)
    struct = Parse(text, Struct())
    if json_object(struct) != json.loads(text):
        raise InvalidArgument(
            f"integers must be exact as doubles over gRPC, up to 2^53, got {text}"
        )
    return struct
