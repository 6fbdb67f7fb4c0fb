"""`kindred condition`: what a generator of pictures listens to, as a file and a call to paste."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from embedder.conditioning.bridge import BridgeName, Choice
from embedder.conditioning.call import reading
from embedder.conditioning.mix import Mix
from embedder.conditioning.tensors import DType
from service.cli import options
from service.cli.backend import Where
from service.cli.groups import grouped
from service.cli.parts import filed, required, spoken, unwanted
from service.cli.show import answers, complain, notes, show_table
from service.conditioning.messages import ConditionAnswer, ConditionQuery, FileFormat

_FORMATS: dict[str, FileFormat] = {".safetensors": "safetensors", ".npz": "npz"}

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where to: .safetensors or .npz."),
]


@dataclass(frozen=True)
class Wish:
    """What a generator is to listen to."""

    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="What it is to be of, in words."),
    ] = None
    image: options.Images = None
    audio: options.Sounds = None
    like: options.Likes = None
    negative: options.Negatives = None
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection", "-c", help="Whose items --like names, whose pictures knn looks among."
        ),
    ] = None


@dataclass(frozen=True)
class Way:
    """How it is made."""

    profile: Annotated[
        str, typer.Option("--profile", "-p", help="The target, see `kindred profile list`.")
    ] = "kindred-raw"
    bridge: Annotated[BridgeName, typer.Option(help="How words and sounds become pictures'.")] = (
        BridgeName.AUTO
    )
    mix: Annotated[Mix, typer.Option(help="How several inputs become one.")] = Mix.MEAN
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Conditions to make.")] = 1
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same tensors.")
    ] = None
    cfg: Annotated[
        bool, typer.Option("--cfg/--no-cfg", help="Give what guidance is measured against, too.")
    ] = True
    noise_level: Annotated[
        int | None, typer.Option(min=0, help="How far the target blurs the vector.")
    ] = None
    dtype: Annotated[DType, typer.Option(help="What numbers are written as.")] = DType.F32


@grouped
def condition(
    ctx: typer.Context, wish: Wish, way: Way, place: options.Place, output: Output = None
) -> None:
    """Makes what a diffusion generator listens to, from words, pictures and sounds.

    Prints how the pipeline is called, to paste. --negative leads away from words, in the place of
    what the target is guided against where it takes that.

    For example:

        kindred condition --audio rain.wav --profile ip-adapter-sd15 -o out.safetensors
        kindred condition a dog --image beach.jpg --bridge linear --seed 7 -o out.npz
    """
    form = _format(output)
    where = Where.of(ctx, place.data, place.server)
    answer = asyncio.run(_ask(where, _query(wish, way)))
    for warning in answer.warnings:
        complain(f"take note: {warning}")
    if output and form:
        output.write_bytes(answer.file(form))
    _show(answer, output)


def _query(wish: Wish, way: Way) -> ConditionQuery:
    wanted = [*spoken(wish.words, wish.like), *filed(wish.image, wish.audio)]
    return ConditionQuery(
        inputs=required(wanted, "what should it listen to?"),
        negative_inputs=unwanted(wish.negative, 1.0),
        collection=wish.collection,
        profile=way.profile,
        bridge=Choice(way.bridge),
        mix=way.mix,
        num_vectors=way.count,
        seed=way.seed,
        cfg=way.cfg,
        noise_level=way.noise_level,
        dtype=way.dtype,
    )


def _format(output: Path | None) -> FileFormat | None:
    if output is None:
        return None
    if output.suffix not in _FORMATS:
        raise typer.BadParameter(f"--output must end in .safetensors or .npz, got {output.name}")
    return _FORMATS[output.suffix]


async def _ask(where: Where, query: ConditionQuery) -> ConditionAnswer:
    if query.collection:
        async with where.open() as backend:
            return await backend.condition(query)
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.condition(query)


def _show(answer: ConditionAnswer, output: Path | None) -> None:
    table = Table("input", "weight", "bridge", "cosine to the result", header_style="bold")
    for each in answer.per_input:
        table.add_row(
            each.modality, f"{each.weight:+.2f}", each.bridge, f"{each.cos_to_result:.3f}"
        )
    show_table(table, notes())
    shapes = {name: list(tensor.shape) for name, tensor in answer.tensors.items()}
    if output is None:
        answers().print_json(json.dumps(_facts(answer)))
        return
    notes().print(f"Wrote {shapes} for {answer.profile}, seed {answer.seed}, to {output}.")
    pasted = reading(answer.call.snippet, output.as_posix())
    answers().print(pasted, soft_wrap=True)


def _facts(answer: ConditionAnswer) -> dict[str, Any]:
    return {
        "profile": answer.profile,
        "space": answer.space,
        "seed": answer.seed,
        "bridge_used": answer.bridge_used,
        "norm": answer.norm,
        "adapter": answer.adapter,
        "diagnostics": asdict(answer.diagnostics),
        "tensors": {name: tensor.values.tolist() for name, tensor in answer.tensors.items()},
    }
