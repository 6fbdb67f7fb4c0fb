"""What a client asks: `kindred.v1` to `service.messages`, shapes only; meaning is the engine's."""

from collections.abc import Mapping, MutableSequence
from typing import Any, TypeVar

import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from embedder.media import Modality
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import content_pb2 as content_pb
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from service import messages
from service.engine import OnError
from service.errors import InvalidRequest
from service.intake import check_count

T = TypeVar("T")

_MODALITIES: Mapping[int, Modality] = {
    content_pb.MODALITY_TEXT: Modality.TEXT,
    content_pb.MODALITY_IMAGE: Modality.IMAGE,
    content_pb.MODALITY_AUDIO: Modality.AUDIO,
}
_RANKINGS: Mapping[int, messages.Ranking | None] = {
    collections_pb.RANKING_UNSPECIFIED: None,
    collections_pb.RANKING_CALIBRATED: "calibrated",
    collections_pb.RANKING_COSINE: "cosine",
}
_ON_ERROR: Mapping[int, OnError] = {
    embeddings_pb.ON_ERROR_UNSPECIFIED: "request",
    embeddings_pb.ON_ERROR_REQUEST: "request",
    embeddings_pb.ON_ERROR_ITEM: "item",
}
_WITH_STATS: Mapping[int, bool] = {
    collections_pb.COLLECTION_VIEW_UNSPECIFIED: False,
    collections_pb.COLLECTION_VIEW_BASIC: False,
    collections_pb.COLLECTION_VIEW_FULL: True,
}
MOST_STRUCT_BYTES = 1024 * 1024
"""More than metadata or filters that are taken need, and translated in a fifth of a second."""

_WHOLE = 2.0**53
"""Up to here a double holds every whole number, so one that is whole was meant to be (IEEE 754)."""


def content(message: content_pb.Content) -> messages.Content:
    """Returns the content; one that breaks a rule costs itself alone, like bad media."""
    match message.WhichOneof("content"):
        case "text":
            return messages.TextContent(message.text)
        case "image":
            return messages.MediaContent(Modality.IMAGE, message.image)
        case "audio":
            return messages.MediaContent(Modality.AUDIO, message.audio)
        case "item_id":
            return messages.ItemContent(message.item_id)
        case "vector":
            return _vector(message.vector)
        case _:
            rule = "content must be one of text, image, audio, item_id and vector; none is set"
            return messages.BrokenContent(InvalidRequest(rule))


def _vector(message: content_pb.Vector) -> messages.VectorContent | messages.BrokenContent:
    try:
        kind = modality(message.modality)
    except InvalidRequest as error:
        return messages.BrokenContent(error)
    values = np.array(message.values, dtype=np.float32)
    return messages.VectorContent(values, kind, message.space)


def modality(number: int) -> Modality:
    """Returns the modality.

    Raises:
        InvalidRequest: If it is unspecified or unknown.
    """
    return known(number, _MODALITIES, "modality")


def on_error(number: int) -> OnError:
    """Returns what one bad content costs.

    Raises:
        InvalidRequest: If it is unknown.
    """
    return known(number, _ON_ERROR, "on_error")


def with_stats(view: int) -> bool:
    """Returns whether a view of a collection has its statistics.

    Raises:
        InvalidRequest: If it is unknown.
    """
    return known(view, _WITH_STATS, "view")


def known(number: int, table: Mapping[int, T], name: str) -> T:
    """Returns what a number of an enum stands for.

    Raises:
        InvalidRequest: If it is unknown.
    """
    if number not in table:
        raise InvalidRequest(f"{name} must be one of {sorted(table)}, got {number}")
    return table[number]


def new_collection(message: collections_pb.CreateCollectionRequest) -> messages.NewCollection:
    """Returns the collection to create."""
    return messages.NewCollection(
        message.name,
        optional(message, "model"),
        tuple(message.indexed),
        optional(message, "recall_target"),
        optional(message, "structure"),
    )


def indexed(message: collections_pb.UpdateCollectionRequest) -> tuple[str, ...]:
    """Returns the fields to index.

    Raises:
        InvalidRequest: If anything else is to be changed, or nothing.
    """
    paths = list(message.update_mask.paths)
    if paths != ["indexed"]:
        raise InvalidRequest(f"update_mask must be 'indexed', all that can be changed, got {paths}")
    return tuple(message.collection.indexed)


def item_input(message: collections_pb.ItemInput) -> messages.ItemInput:
    """Returns the item to store; one that breaks a rule costs itself alone."""
    name = optional(message, "id")
    try:
        metadata = json_object(message.metadata)
    except InvalidRequest as error:
        return messages.ItemInput(messages.BrokenContent(error), name)
    return messages.ItemInput(content(message.content), name, metadata)


def search_query(message: collections_pb.SearchItemsRequest) -> messages.SearchQuery:
    """Returns the question; what is unset has the contract's default."""
    return messages.SearchQuery(
        parts=[query_part(part) for part in message.query],
        k=message.k if message.HasField("k") else 10,
        modalities=tuple(modality(number) for number in message.modalities),
        k_per_modality=optional(message, "k_per_modality"),
        filter=optional_object(message, "filter"),
        min_score=optional(message, "min_score"),
        ranking=known(message.ranking, _RANKINGS, "ranking"),
        with_vectors=message.with_vectors,
        exact=message.exact,
    )


def query_part(message: collections_pb.QueryPart) -> messages.QueryPart:
    """Returns a weighted part of a question."""
    weight = message.weight if message.HasField("weight") else 1.0
    return messages.QueryPart(content(message.content), weight)


def optional(message: Message, field: str) -> Any:  # noqa: ANN401 - any field
    """Returns a field's value, or None if it is unset."""
    return getattr(message, field) if message.HasField(field) else None


def optional_object(message: Message, field: str) -> dict[str, Any] | None:
    """Returns a Struct field as a JSON object, or None if it is unset."""
    return json_object(getattr(message, field)) if message.HasField(field) else None


def check_lists(message: Message, most: int) -> None:
    """Refuses longer lists of messages before they are translated, a microsecond or two for each.

    Args:
        message: What is asked.
        most: How many items a request may hold.

    Raises:
        TooManyItems: If one holds more.
    """
    if message.ByteSize() <= 2 * most:  # each takes two bytes at least
        return
    for field, value in message.ListFields():
        if field.message_type and isinstance(value, MutableSequence):
            check_count(len(value), most)


def json_object(struct: Struct) -> dict[str, Any]:
    """Returns a Struct as a JSON object; whole numbers up to 2^53 become integers.

    Raises:
        InvalidRequest: If a number is not finite, for JSON has none such, or it takes too much.
    """
    if (size := struct.ByteSize()) > MOST_STRUCT_BYTES:
        raise InvalidRequest(
            f"metadata or a filter may take {MOST_STRUCT_BYTES} bytes as a Struct, got {size}"
        )
    try:
        return {key: _whole(value) for key, value in MessageToDict(struct).items()}
    except ValueError as error:
        raise InvalidRequest("numbers must be finite, got NaN or infinity") from error


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
