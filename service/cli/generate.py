"""`kindred generate`: small pictures of what words, pictures and sounds say."""

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from embedder.conditioning.bridge import BridgeName, Choice
from service.cli import options
from service.cli.backend import Where
from service.cli.groups import grouped
from service.cli.parts import filed
from service.cli.show import notes
from service.conditioning.messages import ConditionQuery, PictureAnswer
from service.messages import QueryPart, TextContent

GAP = 2
"""White pixels between the pictures of a grid."""

MOST = 64
"""Pictures of one grid."""


@dataclass(frozen=True)
class Wish:
    """What the pictures are to be of."""

    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="WORDS", help="Words. Repeatable.")
    ] = None
    image: options.Images = None
    audio: options.Sounds = None

    def parts(self) -> list[QueryPart]:
        """Returns what is wished.

        Raises:
            typer.BadParameter: If it is nothing.
        """
        words = [QueryPart(TextContent(text)) for text in self.text or ()]
        if not (parts := [*words, *filed(self.image, self.audio)]):
            raise typer.BadParameter("give --text, --image or --audio: what should be made?")
        return parts


@dataclass(frozen=True)
class Way:
    """How they are made."""

    count: Annotated[
        int, typer.Option(min=1, max=MOST, help="Pictures; several come as a grid.")
    ] = 1
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The same seed makes the same picture. Default: drawn."),
    ] = None
    bridge: Annotated[
        BridgeName, typer.Option(help="How words and sounds come to be like pictures.")
    ] = BridgeName.AUTO
    steps: Annotated[int, typer.Option(help="Steps from noise to a picture, 1 to 200.")] = 12
    guidance: Annotated[
        float, typer.Option(help="1 follows what was asked; more exaggerates it, up to 20.")
    ] = 2.0
    noise: Annotated[
        float, typer.Option(help="0 to 1: how freely to read what was asked.", min=0.0, max=1.0)
    ] = 0.0
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A generator that `kindred train --generator` made; a server has its own. "
            "Default: bundled.",
        ),
    ] = None


@dataclass(frozen=True)
class Sheet:
    """What is written."""

    output: Annotated[
        Path,
        typer.Option("--output", "-o", dir_okay=False, metavar="FILE.png", help="What to write."),
    ]
    zoom: Annotated[int, typer.Option(min=1, max=16, help="Each pixel becomes so many a side.")] = 1

    def write(self, pictures: NDArray[np.uint8]) -> None:
        """Writes pictures (n, side, side, 3) as one."""
        import PIL.Image

        PIL.Image.fromarray(zoomed(grid(pictures), self.zoom)).save(self.output, format="PNG")


@grouped
def generate(
    ctx: typer.Context,
    sheet: Sheet,
    wish: Wish,
    way: Way,
    server: options.Server = None,
) -> None:
    """Makes small pictures of words, pictures, sounds, or all of them together.

    The generator, kindred-demo, learnt from pictures alone: what it is asked in words or by sounds
    crosses a bridge to where pictures lie. Its pictures are 64 pixels a side, and a demonstration.

    For example:

        kindred generate --text "a beach at sunset" -o beach.png
        kindred generate --audio rain.wav --count 9 --seed 1 -o rain.png
    """
    if way.weights and server:
        raise typer.BadParameter("give --weights or --server, not both: a server has its own")
    parts = wish.parts()
    where = _with_generator(Where.of(ctx, None, server), way.weights)
    with notes().status("making pictures"):
        made = asyncio.run(_ask(where, parts, way))
    sheet.write(_pixels(made))
    for warning in made.warnings:
        notes().print(warning)
    notes().print(
        f"Wrote {sheet.output}: pictures {way.count}, seed {made.seed}, {made.bridge_used}."
    )


def _with_generator(where: Where, weights: Path | None) -> Where:
    """Returns the same with a generator that is known to be there: before any model is loaded."""
    from embedder.conditioning.generator.weights import WEIGHTS, GeneratorFile

    if where.server:
        return where
    path = weights or where.settings.generator or WEIGHTS
    GeneratorFile.read(path)
    own = {"generator": path, "max_pictures": MOST}
    return replace(where, settings=where.settings.model_copy(update=own))


async def _ask(where: Where, parts: Sequence[QueryPart], way: Way) -> PictureAnswer:
    from embedder.conditioning.generator.sampler import PictureSampling

    query = ConditionQuery(
        inputs=parts, bridge=Choice(way.bridge), num_vectors=way.count, seed=way.seed
    )
    how = PictureSampling(steps=way.steps, guidance=way.guidance, noise=way.noise)
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.generate(query, how)


def _pixels(made: PictureAnswer) -> NDArray[np.uint8]:
    """Returns the pictures, shape (n, side, side, 3)."""
    import PIL.Image

    return np.stack([np.asarray(PIL.Image.open(io.BytesIO(each))) for each in made.pictures])


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
