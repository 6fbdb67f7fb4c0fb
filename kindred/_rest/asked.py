"""What is asked, as JSON."""

import base64
from collections.abc import Mapping
from typing import Any

from kindred import _calls as calls
from kindred._content import (
    Audio,
    Content,
    Image,
    Item,
    Parts,
    Text,
    Vector,
    content_of,
    contents_of,
    item_of,
    json_text,
    parts_of,
)

JsonObject = dict[str, Any]


def embed(call: calls.Embed) -> JsonObject:
    """Asks for vectors as base64: packed float32, smaller than decimals and exact."""
    return given(
        model=call.model,
        input=[content(each) for each in contents_of(call.contents)],
        dimensions=call.dimensions,
        on_error=call.on_error,
        windows=call.windows,
        encoding_format="base64",
    )


def rank(call: calls.Rank) -> JsonObject:
    """Asks for a ranking."""
    return given(
        model=call.model,
        query=content(content_of(call.query)),
        candidates=[content(each) for each in contents_of(call.candidates)],
    )


def create_collection(call: calls.CreateCollection) -> JsonObject:
    """Asks for a new collection."""
    return given(
        name=call.name,
        model=call.model,
        indexed=list(call.indexed),
        recall_target=call.recall_target,
        structure=call.structure,
    )


def upsert(call: calls.Upsert) -> JsonObject:
    """Asks to store items."""
    items = [
        given(id=item.id, content=content(content_of(item.content)), metadata=dict(item.metadata))
        for item in map(item_of, call.items)
    ]
    return {"items": items, "windows": call.windows}


def list_items(call: calls.ListItems) -> dict[str, str]:
    """Asks for a page of items, as a query string."""
    texts = given(
        page_token=call.page_token or None,
        filter=None if call.filter is None else json_text(call.filter),
        include="vector" if call.with_vectors else None,
    )
    return {"page_size": str(call.page_size), **texts}


def search(call: calls.Search) -> JsonObject:
    """Asks for hits."""
    return given(
        query=weighted(call.query),
        k=call.k,
        modalities=[str(each) for each in call.modalities],
        k_per_modality=call.k_per_modality,
        filter=call.filter,
        min_score=call.min_score,
        ranking=call.ranking,
        include=["metadata", "vector"] if call.with_vectors else ["metadata"],
        exact=call.exact,
    )


def weighted(parts: Parts) -> list[JsonObject]:
    """Returns contents and their weights."""
    return [{**content(each), "weight": weight} for each, weight in parts_of(parts)]


def given(**fields: Any) -> JsonObject:  # noqa: ANN401 - any JSON
    """Returns the fields that are not None: what is not said has the server's default."""
    return {name: value for name, value in fields.items() if value is not None}


def content(asked: Content) -> Mapping[str, Any]:
    """Asks about a asked."""
    match asked:
        case Text():
            return {"type": "text", "text": asked.text}
        case Image():
            return {"type": "image", "data": base64.b64encode(asked.data).decode()}
        case Audio():
            return {"type": "audio", "data": base64.b64encode(asked.data).decode()}
        case Item():
            return {"type": "item", "id": asked.id}
        case Vector():
            vector, modality = asked.values.tolist(), str(asked.modality)
            said = {"space": asked.space} if asked.space else {}
            return {"type": "vector", "vector": vector, "modality": modality, **said}
