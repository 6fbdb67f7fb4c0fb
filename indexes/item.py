"""Items: named vectors with metadata, checked when they are made."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.base import Vectors, half, unit_vector
from indexes.errors import InvalidItem, InvalidVector
from indexes.windows import Windows

Metadata = Mapping[str, Any]
"""A JSON object."""

MAX_ID_BYTES = 512
MAX_METADATA_BYTES = 65_536
MAX_METADATA_DEPTH = 32

_MODALITY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_NOT_IN_IDS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # Unicode's categories Cc and Cs
_MIME = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*")


@dataclass(frozen=True, slots=True)
class Content:
    """The media an item was made from, as they came."""

    mime: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuses a MIME type that is not `type/subtype` in lower case.

        Raises:
            InvalidItem: If it is not.
        """
        if not _MIME.fullmatch(self.mime):
            raise InvalidItem(f"a MIME type is type/subtype in lower case, got {self.mime!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A named vector. Making one checks it, so that a bad item costs itself alone.

    Attributes:
        id: The client's name for it: 1 to 512 bytes of UTF-8 without control characters.
        modality: What it was, e.g. "image".
        vector: float32, shape (dim,), of unit norm; made exactly unit if it is off by up to 1e-3.
            Numbers that half precision holds, in which collections keep them, stay as they are:
            what is read can be stored again bit for bit.
        metadata: A JSON object of at most 64 KiB; integers fit 64 bits, no text holds a NUL.
        created: When it was first stored, in UTC; given, it is taken as it is.
        content: The media to keep with it. Not filled in when an item is read.
        mime: Type of the kept media, of an item that is read.
        windows: Its stretches, of the same length of vectors, by which a hit tells where it
            matches. Not filled in when an item is read.
        encoded: The metadata as JSON text: what was checked is what will be stored.
    """

    id: str
    modality: str
    vector: NDArray[np.float32]
    metadata: Metadata = field(default_factory=dict)
    created: datetime | None = None
    content: Content | None = None
    mime: str | None = None
    windows: Windows | None = None
    encoded: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Checks everything but the vector's length, which only the collection knows.

        Raises:
            InvalidItem: If id, modality, metadata or time break a rule.
            InvalidVector: If the vector is not finite or not of unit norm, or its windows have
                vectors of another length.
        """
        check_name(self.id, self.modality)
        if self.created is not None:
            object.__setattr__(self, "created", _in_utc(self.created))
        object.__setattr__(self, "encoded", encode_metadata(self.metadata))
        object.__setattr__(self, "vector", _kept(self.vector))
        if self.windows is not None and self.windows.vectors.shape[1] != len(self.vector):
            raise InvalidVector(
                f"windows must have vectors of {len(self.vector)} numbers as their item has, "
                f"got {self.windows.vectors.shape[1]}"
            )


def check_name(item_id: object, modality: str) -> None:
    """Refuses what can't be the id and the modality of an item.

    Raises:
        InvalidItem: If one breaks a rule.
    """
    _check_id(item_id)
    if not _MODALITY.fullmatch(modality):
        raise InvalidItem(
            f"a modality is a lower-case letter and up to 31 letters, digits or _, got {modality!r}"
        )


def encode_metadata(metadata: Metadata) -> str:
    """Returns metadata as JSON text.

    Raises:
        InvalidItem: If it is no JSON object, too large, or holds what JSON or SQL cannot.
    """
    if not isinstance(metadata, dict):
        raise InvalidItem(f"metadata must be a JSON object, got {type(metadata).__name__}")
    _check_json(metadata, depth=0)
    text = _ENCODER.encode(metadata)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidItem(f"metadata must be valid Unicode: {error.reason}") from error
    if size > MAX_METADATA_BYTES:
        raise InvalidItem(f"metadata may take {MAX_METADATA_BYTES} bytes as JSON, got {size}")
    return text


def _kept(vector: Vectors) -> Vectors:
    """Returns a vector as `unit_vector` does, but one that half precision holds as it is."""
    unit = unit_vector(vector)
    if np.float16(vector[0]) != vector[0]:  # as of nearly all others: saves to look at the rest
        return unit
    return vector.astype(np.float32) if np.array_equal(vector, half(vector)) else unit


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidItem(f"created must have a time zone, got {moment.isoformat()}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidItem(f"created must lie in years 1 to 9999 of UTC, got {moment}") from error


def _check_json(value: object, depth: int) -> None:
    if depth > MAX_METADATA_DEPTH:
        raise InvalidItem(f"metadata may nest {MAX_METADATA_DEPTH} levels deep, got more")
    if isinstance(value, dict):
        for key, element in value.items():
            _check_text(key)
            _check_json(element, depth + 1)
    elif isinstance(value, list):
        for element in value:
            _check_json(element, depth + 1)
    elif isinstance(value, str):
        _check_text(value)
    else:
        _check_number(value)


def _check_number(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidItem(f"numbers in metadata must be finite, got {value}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidItem("integers in metadata must fit 64 bits, got a larger one")
    if value is not None and not isinstance(value, bool | int | float):
        raise InvalidItem(f"metadata must be JSON, got a {type(value).__name__}")


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise InvalidItem(f"keys of metadata must be text, got {text!r}")
    if "\0" in text:
        raise InvalidItem("text in metadata may hold no NUL character, got one")


def _check_id(item_id: object) -> None:
    if not isinstance(item_id, str) or not item_id:
        raise InvalidItem(f"an id is a text of at least one character, got {item_id!r}")
    if _NOT_IN_IDS.search(item_id):
        raise InvalidItem(f"an id has no control character or surrogate, got {item_id[:80]!r}")
    size = len(item_id.encode())
    if size > MAX_ID_BYTES:
        raise InvalidItem(f"an id is at most {MAX_ID_BYTES} bytes of UTF-8, got {size}")
