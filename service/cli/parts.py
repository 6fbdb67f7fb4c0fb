"""The parts of a question that is asked in words, files and stored items."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from embedder.media import Modality
from service.messages import ItemContent, MediaContent, QueryPart, TextContent

NEGATIVE_WEIGHT = -0.5
"""Half as strong as what is wanted, so that what is wanted leads."""


def spoken(words: Sequence[str] | None, like: Iterable[str] | None = None) -> list[QueryPart]:
    """Returns the parts that are no files; unquoted words are one part."""
    wanted = [" ".join(words)] if words else []
    return [
        *(QueryPart(TextContent(text)) for text in wanted),
        *(QueryPart(ItemContent(name)) for name in like or ()),
    ]


def unwanted(words: Iterable[str] | None, weight: float = NEGATIVE_WEIGHT) -> list[QueryPart]:
    """Returns the parts to keep away from, each one text."""
    return [QueryPart(TextContent(text), weight) for text in words or ()]


def filed(images: Iterable[Path] | None, sounds: Iterable[Path] | None) -> list[QueryPart]:
    """Returns the parts that are files: pictures, then sounds."""
    kinds = ((Modality.IMAGE, images), (Modality.AUDIO, sounds))
    return [
        QueryPart(MediaContent(modality, file.read_bytes()))
        for modality, files in kinds
        for file in files or ()
    ]


def required(parts: list[QueryPart], what: str) -> list[QueryPart]:
    """Returns the parts, of which there must be one.

    Raises:
        BadParameter: If there is none.
    """
    if not parts:
        raise typer.BadParameter(f"give words, --image, --audio or --like: {what}")
    return parts
