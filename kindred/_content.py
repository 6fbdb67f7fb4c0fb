"""What can be asked about: words, pictures, sounds, stored items, vectors."""

import io
import json
import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kindred._errors import InvalidArgument

Metadata = Mapping[str, Any]
"""A JSON object. Over gRPC numbers are doubles: integers beyond 2^53 are rounded."""


class Modality(StrEnum):
    """The kind of a piece of content."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture file: JPEG, PNG, WebP, GIF and others; or a film, of which the pictures count."""

    data: bytes = field(repr=False)

    @classmethod
    def file(cls, path: str | Path) -> "Image":
        """Reads a picture file."""
        return cls(Path(path).read_bytes())


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound file: WAV, FLAC, Ogg, Opus, MP3, M4A and others, of any rate and channel count.

    Or a film, of which the sound track counts.
    """

    data: bytes = field(repr=False)

    @classmethod
    def file(cls, path: str | Path) -> "Audio":
        """Reads a sound file."""
        return cls(Path(path).read_bytes())


@dataclass(frozen=True, slots=True)
class Item:
    """A stored item of the collection that is asked."""

    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """A vector made before, of any length but zero, and the modality of what it stands for.

    Attributes:
        values: float32, shape (dim,).
        space: Id of the space that it was made in, as answers tell it; where it is given, another
            space refuses the vector.
    """

    values: NDArray[np.float32]
    modality: Modality
    space: str = ""

    def __init__(
        self,
        values: Sequence[float] | NDArray[Any],
        modality: Modality | str,
        space: str = "",
    ) -> None:
        array = np.array(values, dtype=np.float32)
        if not np.isfinite(array).all():
            raise InvalidArgument("a vector must be finite", reason="INVALID_VECTOR")
        object.__setattr__(self, "values", array)
        object.__setattr__(self, "modality", Modality(modality))
        object.__setattr__(self, "space", space)


@runtime_checkable
class Picture(Protocol):
    """An image object that can write itself, such as Pillow's; it travels as PNG."""

    def save(self, fp: BinaryIO, format: str) -> None:
        """Writes the picture in this format."""


Content = Text | Image | Audio | Item | Vector
ContentLike = str | Path | Picture | Content
"""A str is text; a Path is a file whose name tells whether it is a picture, a sound or words."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a query; a negative weight pushes away."""

    content: ContentLike
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ItemInput:
    """An item to store; without an id it gets the digest of its content and is stored once."""

    content: ContentLike
    id: str | None = None
    metadata: Metadata = field(default_factory=dict)


def item_of(given: ItemInput | ContentLike) -> ItemInput:
    """Returns the item that is meant: a content alone is one without an id or metadata."""
    return given if isinstance(given, ItemInput) else ItemInput(given)


def content_of(given: ContentLike) -> Content:
    """Returns what is meant.

    Raises:
        InvalidArgument: If a file's name does not tell what it holds.
        TypeError: If it is none of `ContentLike`.
    """
    match given:
        case Text() | Image() | Audio() | Item() | Vector():
            return given
        case str():
            return Text(given)
        case Path():
            return _file_content(given)
        case Picture():
            buffer = io.BytesIO()
            given.save(buffer, "PNG")
            return Image(buffer.getvalue())
    raise TypeError(
        "content must be a str, a Path, a picture, or one of kindred.Content, "
        f"got {type(given).__name__}"
    )


def contents_of(given: ContentLike | Iterable[ContentLike]) -> tuple[Content, ...]:
    """Returns what is meant; one alone counts as a list of one."""
    if isinstance(given, Iterable) and not isinstance(given, str | Picture):
        return tuple(content_of(each) for each in given)
    return (content_of(given),)


Parts = ContentLike | Part | Iterable[ContentLike | Part]
"""One part of a query, or several."""


def parts_of(given: Parts) -> tuple[tuple[Content, float], ...]:
    """Returns the contents of a query and their weights; one alone counts as a list of one."""
    if not isinstance(given, Iterable) or isinstance(given, str | Picture):
        given = (given,)
    parts = (each if isinstance(each, Part) else Part(each) for each in given)
    return tuple((content_of(part.content), part.weight) for part in parts)


_SUFFIXES = {
    ".opus": "audio",
    ".flac": "audio",
    ".m4a": "audio",
    ".weba": "audio",
    ".webp": "image",
    ".avif": "image",
    ".heic": "image",
    ".heif": "image",
    ".mkv": "video",
    ".mov": "video",
    ".webm": "video",
}
"""Kinds of files that not every system's table of types knows."""


def _file_content(path: Path) -> Content:
    guess = mimetypes.guess_type(path.name)[0] or "unknown"
    match _SUFFIXES.get(path.suffix.lower(), guess.partition("/")[0]):
        case "image" | "video":
            return Image.file(path)
        case "audio":
            return Audio.file(path)
        case "text":
            return Text(path.read_text("utf-8"))
    raise InvalidArgument(
        "a file's name must end like that of a picture, a film, a sound or a text; "
        f"use Image.file or Audio.file for {path.name!r}"
    )


def json_text(given: Mapping[str, Any]) -> str:
    """Returns a JSON object as text.

    Raises:
        InvalidArgument: If it is none.
    """
    try:
        return json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"metadata and filters must be JSON objects: {error}") from error
