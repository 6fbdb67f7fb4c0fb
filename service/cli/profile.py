"""`kindred profile`: what generators can be driven, and adapters that lead to them."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from embedder.conditioning.adapter import Adapter, Card
from embedder.conditioning.call import call_of
from embedder.conditioning.fitting import Pairs, fit_adapter
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profile import Holds, Profile
from embedder.conditioning.profiles import PROFILES, find_profile
from service.cli import options
from service.cli.groups import grouped
from service.cli.refusal import RefusingGroup
from service.cli.show import answers, notes, show_table
from service.settings import load_settings

commands = typer.Typer(
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Targets of conditioning, and ways to them.

Some listen to kindred-mini as it is; others need an adapter, which `fit` makes of pairs of vectors.

For example:

    kindred profile list
    kindred profile show ip-adapter-sd15
    kindred profile fit --source kindred.npy --target vit-h.npy --profile sd21-unclip-h
""",
)

Rows = NDArray[np.float32]
Id = Annotated[str, typer.Argument(metavar="PROFILE", help="E.g. sd21-unclip-h.")]


def _file(words: str) -> Any:  # noqa: ANN401 - as typer declares it
    return typer.Option(metavar="FILE.npy", exists=True, dir_okay=False, help=words)


@commands.command(name="list")
def list_(data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Lists the targets: what each takes, whose vectors it was trained on, and what leads there.

    A target listens to the served model as it is, or over an adapter that `kindred profile fit` has
    made; until one is fitted, it can't be asked for.

    For example:

        kindred profile list
    """
    settings = load_settings(data=data)
    model, cards = settings.models[0], Adapters(settings.adapter_folder).cards()
    if as_json:
        told = [_json(profile, model, _of(profile, cards)) for profile in PROFILES]
        typer.echo(json.dumps(told, indent=2))
        return
    table = Table("profile", "takes", "trained on", f"from {model}", header_style="bold")
    for profile in PROFILES:
        table.add_row(
            Text(profile.id, "cyan"),
            Text("\n".join(_shape(profile))),
            Text(profile.encoder),
            Text("\n".join(_way(profile, model, _of(profile, cards)))),
        )
    show_table(table)


@commands.command()
def show(name: Id, data: options.Data = None, as_json: options.AsJson = False) -> None:
    """Shows one target: its call, its needs, and Python that makes a picture with it.

    That needs diffusers, which Kindred itself does not.

    For example:

        kindred profile show ip-adapter-sd15
    """
    settings = load_settings(data=data)
    profile, model = find_profile(name), settings.models[0]
    cards = _of(profile, Adapters(settings.adapter_folder).cards())
    if as_json:
        typer.echo(json.dumps(_json(profile, model, cards), indent=2))
        return
    table = Table(profile.id, profile.description, header_style="bold")
    rows: Mapping[str, list[str]] = {
        "class": [f"{profile.library} {profile.class_name}".strip() or "none"],
        "takes": _shape(profile),
        "trained on": [profile.encoder],
        f"from {model}": _way(profile, model, cards),
        "scale": [_scale(profile)],
        "guidance": [_UNCONDITIONAL[profile.unconditional]],
        "needs": list(profile.needs) or ["nothing else"],
    }
    for row, lines in rows.items():
        table.add_row(row, Text("\n".join(lines)))
    show_table(table)
    names = [argument.name for argument in profile.arguments]
    answers().print(call_of(profile, names, {}).snippet, soft_wrap=True)


@dataclasses.dataclass(frozen=True)
class Files:
    """What an adapter is fitted to: arrays of the same pictures, in the same order."""

    source: Annotated[Path, _file("Vectors of the served space, (n, dim), of pictures.")]
    target: Annotated[
        Path, _file("What the target's encoder makes of the same pictures, not normalised.")
    ]
    pooled: Annotated[Path | None, _file("For sdxl-prompt: the pooled outputs as well.")] = None
    negative: Annotated[
        Path | None, _file("What guidance is measured against, in the shape of one target.")
    ] = None

    def pairs(self) -> Pairs:
        """Reads them.

        Raises:
            typer.BadParameter: If one holds no numbers.
        """
        asked = {Holds.CONDITION: self.target, Holds.POOLED: self.pooled}
        targets = {what: _read(path) for what, path in asked.items() if path is not None}
        negatives = {} if self.negative is None else {Holds.CONDITION: _read(self.negative)}
        return Pairs(_read(self.source), targets, negatives)


Of = Annotated[str, typer.Option("--profile", metavar="PROFILE", help="E.g. sd21-unclip-h.")]
Model = Annotated[
    str | None, typer.Option(help="Whose space the sources are of. Default: the first served.")
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write it here instead of where the server looks."),
]


@commands.command()
@grouped
def fit(
    files: Files, profile: Of, model: Model = None, out: Out = None, data: options.Data = None
) -> None:
    """Fits an adapter from the served space to a target's, by ridge regression in closed form.

    Rows of both files are the same pictures, in the same order. The penalty is chosen, and the
    figures are taken, on pairs that are held out. A running server uses it from the next request.

    For example:

        kindred profile fit --source kindred.npy --target vit-h.npy --profile sd21-unclip-h
    """
    from embedder import catalog

    settings, found = load_settings(data=data), find_profile(profile)
    space = catalog.load(model or settings.models[0], settings.placement).space
    adapter = fit_adapter(found, space, files.pairs())
    path = _written(adapter, out, Adapters(settings.adapter_folder))
    card = adapter.card
    answers().print(
        f"{found.id}: {card.pairs} pairs; of {card.held_out} held out, cosine {card.cosine:.3f}, "
        f"R@1 {card.recall_at_1:.1%} (chance {1 / card.held_out:.1%}); norm "
        f"{card.norms[Holds.CONDITION]:.2f}",
        highlight=False,
        soft_wrap=True,
    )
    notes().print(f"Wrote {path}, for vectors of space {card.space}.")


def _written(adapter: Adapter, out: Path | None, adapters: Adapters) -> Path:
    if out is None:
        return adapters.install(adapter)
    adapter.save(out)
    return out


def _read(path: Path) -> Rows:
    """Returns an array of numbers.

    Raises:
        typer.BadParameter: If the file is none.
    """
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except (ValueError, EOFError, TypeError) as error:
        raise typer.BadParameter(f"{path} must be a NumPy file of numbers: {error}") from error


def _of(profile: Profile, cards: tuple[Card, ...]) -> list[Card]:
    return [card for card in cards if card.profile == profile.id]


def _shape(profile: Profile) -> list[str]:
    """Returns the arguments and their axes."""
    return [
        f"{argument.name} ({', '.join(str(axis) for axis in argument.axes)})"
        + (" in a list" if argument.listed else "")
        for argument in profile.arguments
    ]


def _way(profile: Profile, model: str, cards: list[Card]) -> list[str]:
    """Returns what leads from a model to a target."""
    served = ["as it is"] if profile.serves(model) else []
    adapters = [
        f"adapter from {card.space}: cosine {card.cosine:.3f}, R@1 {card.recall_at_1:.1%} of "
        f"{card.held_out}"
        for card in cards
    ]
    return served + adapters or ["needs an adapter"]


_UNCONDITIONAL = {
    "inside": "measured against what the pipeline makes itself",
    "zeros": "measured against zeros, which are given",
    "shipped": "measured against the encoder's vector of an all-zero picture, which an adapter "
    "brings",
}


def _scale(profile: Profile) -> str:
    match profile.scale:
        case "unit":
            return "unit norm"
        case "norm":
            return f"its encoder's own norm; {profile.norm:g}, until an adapter knows it"
    return "as the projector gives it"


def _json(profile: Profile, model: str, cards: list[Card]) -> dict[str, Any]:
    fields = dataclasses.asdict(profile)
    adapters = [dataclasses.asdict(card) for card in cards]
    return {**fields, "served_as_it_is": profile.serves(model), "adapters": adapters}
