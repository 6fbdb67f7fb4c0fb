"""`kindred generate`: small pictures of what words, pictures and sounds say."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from embedder.media import Modality
from service.cli import options
from service.cli.backend import Where
from service.cli.refusal import FAILED
from service.cli.show import complain, moving, notes, progress
from service.messages import Content, EmbedAnswer, MediaContent, TextContent

if TYPE_CHECKING:
    from embedder.conditioning.condition import Conditioned
    from embedder.conditioning.generator.sampler import PictureSampling

GAP = 2
"""White pixels between the pictures of a grid."""

Texts = Annotated[
    list[str] | None, typer.Option("--text", metavar="WORDS", help="Words. Repeatable.")
]
Output = Annotated[
    Path, typer.Option("--output", "-o", dir_okay=False, metavar="FILE.png", help="What to write.")
]
Count = Annotated[int, typer.Option(min=1, max=64, help="Pictures; several come as a grid.")]
Seed = Annotated[
    int | None, typer.Option(min=0, help="The same seed makes the same picture. Default: drawn.")
]
Bridge = Annotated[
    str,
    typer.Option(help="How words and sounds come to be like pictures: auto, prior, linear, none."),
]
Steps = Annotated[int, typer.Option(help="Steps from noise to a picture, 1 to 200.")]
Guidance = Annotated[
    float, typer.Option(help="1 follows what was asked; more exaggerates it, up to 20.")
]
Noise = Annotated[
    float, typer.Option(help="0 to 1: how freely to read what was asked.", min=0.0, max=1.0)
]
Zoom = Annotated[int, typer.Option(min=1, max=16, help="Each pixel becomes so many a side.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A generator that `kindred train --generator` made. Default: bundled."
    ),
]


def generate(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    output: Output,
    text: Texts = None,
    image: options.Images = None,
    audio: options.Sounds = None,
    count: Count = 1,
    seed: Seed = None,
    bridge: Bridge = "auto",
    steps: Steps = 12,
    guidance: Guidance = 2.0,
    noise: Noise = 0.0,
    zoom: Zoom = 1,
    weights: Weights = None,
    server: options.Server = None,
) -> None:
    """Makes small pictures of words, pictures, sounds, or all of them together.

    The generator, kindred-demo, learnt from pictures alone: what it is asked in words or by sounds
    crosses a bridge to where pictures lie. Its pictures are 64 pixels a side, and a demonstration.

    For example:

        kindred generate --text "a beach at sunset" -o beach.png
        kindred generate --audio rain.wav --count 9 --seed 1 -o rain.png
    """
    import PIL.Image

    from embedder.conditioning.generator.sampler import PictureSampling
    from embedder.conditioning.generator.weights import WEIGHTS, GeneratorFile

    path = weights or WEIGHTS
    GeneratorFile.read(path)  # before any model is loaded: without it there is nothing to do
    contents = _contents(text or (), image or (), audio or ())
    answer = _whole(asyncio.run(_ask(Where.of(ctx, None, server), contents)))
    made = conditioned(answer, bridge, count, seed)
    how = PictureSampling(seed=made.seed, steps=steps, guidance=guidance, noise=noise)
    pictures = _sampled(path, answer.space, made, how)
    PIL.Image.fromarray(zoomed(grid(pictures), zoom)).save(output, format="PNG")
    for warning in made.warnings:
        notes().print(warning)
    notes().print(f"Wrote {output}: pictures {count}, seed {made.seed}, {made.bridge_used}.")


def conditioned(answer: EmbedAnswer, bridge: str, count: int, seed: int | None) -> "Conditioned":
    """Returns what the generator is to listen to.

    Args:
        answer: What was asked for, embedded.
        bridge: Name of a bridge.
        count: Vectors to make.
        seed: None draws one.

    Raises:
        ConditioningError: If the space has no such bridge, or the inputs cancel out.
    """
    from embedder.base import EmbeddingSpace
    from embedder.conditioning.bridge import BridgeName, Choice
    from embedder.conditioning.bridge_file import find_bridges
    from embedder.conditioning.condition import Input, Request
    from embedder.conditioning.conditioner import Conditioner, Served
    from embedder.conditioning.installed import Adapters

    if bridge not in list(BridgeName):
        raise typer.BadParameter(f"a bridge must be one of {', '.join(BridgeName)}, got {bridge!r}")
    inputs = tuple(
        Input(found.vector, found.modality)
        for found in answer.results
        if found.vector is not None and found.modality is not None
    )
    space = EmbeddingSpace(answer.space, len(inputs[0].vector))
    conditioner = Conditioner(
        Served(space=space, encoder=answer.model), find_bridges(space), Adapters(Path())
    )
    request = Request(
        inputs=inputs,
        bridge=Choice(BridgeName(bridge)),
        num_vectors=count,
        seed=seed,
        cfg=False,
    )
    return conditioner.condition(request)


def grid(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Puts pictures (n, side, side, 3) into one, row by row, as near to a square as may be."""
    count, side = len(pictures), pictures.shape[1]
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    step = side + GAP
    sheet = np.full((rows * step - GAP, columns * step - GAP, 3), 255, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        top, left = (step * n for n in divmod(place, columns))
        sheet[top : top + side, left : left + side] = picture
    return sheet


def zoomed(picture: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Makes each pixel a square of `times` a side."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _contents(
    texts: Sequence[str], images: Sequence[Path], sounds: Sequence[Path]
) -> list[Content]:
    contents: list[Content] = [
        *(TextContent(text) for text in texts),
        *(MediaContent(Modality.IMAGE, file.read_bytes()) for file in images),
        *(MediaContent(Modality.AUDIO, file.read_bytes()) for file in sounds),
    ]
    if not contents:
        raise typer.BadParameter("give --text, --image or --audio: what should be made?")
    return contents


async def _ask(where: Where, contents: Sequence[Content]) -> EmbedAnswer:
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.embed(contents)


def _whole(answer: EmbedAnswer) -> EmbedAnswer:
    """Refuses an answer in which an error took a vector's place."""
    for found in answer.results:
        if found.error is not None:
            complain(found.error.message)
            raise typer.Exit(FAILED)
    return answer


def _sampled(
    path: Path, space: str, made: "Conditioned", how: "PictureSampling"
) -> NDArray[np.uint8]:
    from embedder.conditioning.generator.sampler import Generator

    generator = Generator.load(path, space=space)
    with moving(progress("making pictures")) as advance:
        return generator.sample(made.vectors, how, advance)
