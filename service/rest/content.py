"""What can be asked about, as JSON: a tagged union, where a bare string means text."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import pybase64
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from embedder.errors import UndecodableMedia
from embedder.media import Modality
from service import messages
from service.errors import InvalidRequest
from service.rest.wire import Many, Question

NEVER_FETCHED = "data must be the file itself in base64: the server never fetches a URL"


class TextPart(Question):
    """Words."""

    type: Literal["text"]
    text: str

    def content(self) -> messages.Content:
        """Returns what the engine is asked about."""
        return messages.TextContent(self.text)


class MediaPart(Question):
    """A picture, a sound or a film, encoded as it is, in base64 or as a data: address.

    The type says which sense is meant: what is seen of a film is an image, what is heard audio.
    """

    type: Literal["image", "audio"]
    data: str = Field(
        repr=False, description="Base64 of the file, or `data:image/jpeg;base64,...`."
    )

    @model_validator(mode="before")
    @classmethod
    def _no_address(cls, given: object) -> object:
        """Answers whoever sends an address in a field of its own, as other services take it."""
        if isinstance(given, dict) and "url" in given:
            raise PydanticCustomError("url", NEVER_FETCHED)
        return given

    def content(self) -> messages.Content:
        """Returns what the engine is asked about."""
        try:
            return messages.MediaContent(Modality(self.type), decoded(self.data))
        except (InvalidRequest, UndecodableMedia) as error:
            return messages.BrokenContent(error)


class ItemPart(Question):
    """A stored item of the collection that is searched."""

    type: Literal["item"]
    id: str

    def content(self) -> messages.Content:
        """Returns what the engine is asked about."""
        return messages.ItemContent(self.id)


class VectorPart(Question):
    """A vector of the model's space, of any norm, and the modality it came from."""

    type: Literal["vector"]
    vector: Many[float]
    modality: Modality
    space: str = Field(
        default="",
        description="Id of the space that it was made in; in another one it is refused.",
    )

    def content(self) -> messages.Content:
        """Returns what the engine is asked about."""
        with np.errstate(over="ignore"):
            vector = np.array(self.vector, dtype=np.float32)
        return messages.VectorContent(vector, self.modality, self.space)


Content = str | Annotated[TextPart | MediaPart | ItemPart | VectorPart, Field(discriminator="type")]


def content_of(part: Content) -> messages.Content:
    """Returns what the engine is asked about."""
    return messages.TextContent(part) if isinstance(part, str) else part.content()


async def contents_of(parts: Sequence[Content]) -> list[messages.Content]:
    """Returns what the engine is asked about; between files, other requests have their turn."""
    found = []
    for part in parts:
        found.append(content_of(part))
        if isinstance(part, MediaPart):
            await asyncio.sleep(0)
    return found


def decoded(data: str) -> bytes:
    """Returns the bytes of base64 text or of a data: address.

    Raises:
        InvalidRequest: If it is the address of something elsewhere.
        UndecodableMedia: If it is not base64.
    """
    if data[:8].lower().startswith(("http://", "https://", "ftp://", "file://")):
        raise InvalidRequest(f"{NEVER_FETCHED}, got {data[:80]!r}")
    if data.startswith("data:"):
        kind, _, data = data.partition(",")
        if not kind.endswith(";base64"):
            raise UndecodableMedia(f"a data: address must be in base64, got {kind[:80]!r}")
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError:  # of what is not ASCII, too
        return _slowly_decoded(data)


def _slowly_decoded(data: str) -> bytes:
    """Returns the bytes of base64 text by the standard library, which tells what is wrong with it.

    Raises:
        UndecodableMedia: If it is not base64.
    """
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise UndecodableMedia(f"data must be base64: {error}, got {data[:20]!r}...") from error
