"""`kindred embed`: vectors of words, pictures and sounds, as JSON lines or a NumPy file."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import typer

from embedder.media import Modality
from service.cli import options
from service.cli.backend import Where
from service.cli.refusal import FAILED
from service.cli.show import complain, notes
from service.messages import Content, EmbedAnswer, Embedded, MediaContent, TextContent


def embed(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    texts: options.Texts = None,
    image: options.Images = None,
    audio: options.Sounds = None,
    output: options.Array = None,
    windows: options.Windows = False,
    server: options.Server = None,
) -> None:
    """Turns words, pictures and sounds into unit vectors of one space.

    Prints one JSON object a line, or writes a NumPy file: texts first, then pictures, then sounds,
    each in the order given. If one fails, the array is not written, so that rows never shift.

    For example:

        kindred embed "a cat" "a dog" -o texts.npy
        kindred embed --image cat.jpg --audio purr.wav
        kindred embed --audio interview.mp3 --windows
    """
    if windows and output:
        raise typer.BadParameter("--windows prints JSON lines: an array has one row for each input")
    inputs = _inputs(texts or (), image or (), audio or ())
    names = [name for name, _ in inputs]
    contents = [content for _, content in inputs]
    answer = asyncio.run(_ask(Where.of(ctx, None, server), contents, windows))
    failed = [found for found in answer.results if found.error]
    for found in failed:
        complain(f"{names[found.index]}: {found.error.message if found.error else ''}")
    if output is None:
        _print_lines(answer, names)
    elif not failed:
        _write(output, answer)
    if failed:
        raise typer.Exit(FAILED)


def _inputs(
    texts: Iterable[str], images: Iterable[Path], sounds: Iterable[Path]
) -> list[tuple[str, Content]]:
    """Returns every content with the name that people know it by."""
    inputs: list[tuple[str, Content]] = [
        *((text, TextContent(text)) for text in texts),
        *((str(file), MediaContent(Modality.IMAGE, file.read_bytes())) for file in images),
        *((str(file), MediaContent(Modality.AUDIO, file.read_bytes())) for file in sounds),
    ]
    if not inputs:
        raise typer.BadParameter("give a text, --image or --audio: what should be embedded?")
    return inputs


async def _ask(where: Where, contents: Sequence[Content], windows: bool) -> EmbedAnswer:
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.embed(contents, windows=windows)


def _print_lines(answer: EmbedAnswer, names: Sequence[str]) -> None:
    for found in answer.results:
        if found.vector is not None:
            line = {
                "input": names[found.index],
                "modality": found.modality,
                "model": answer.model,
                "space": answer.space,
                "embedding": found.vector.tolist(),
                **_windows(found),
            }
            typer.echo(json.dumps(line, ensure_ascii=False))


def _windows(found: Embedded) -> dict[str, Any]:
    if found.windows is None:
        return {}
    pairs = zip(found.windows.windows, found.windows.vectors.tolist(), strict=True)
    return {"window_embeddings": [{**asdict(at), "embedding": vector} for at, vector in pairs]}


def _write(output: Path, answer: EmbedAnswer) -> None:
    vectors = np.stack([found.vector for found in answer.results if found.vector is not None])
    with output.open("wb") as file:  # np.save would add a suffix to any other name
        np.save(file, vectors, allow_pickle=False)
    rows, dim = vectors.shape
    notes().print(f"Wrote {rows} vectors of {dim} numbers, space {answer.space}, to {output}.")
