"""Options in groups: a command gets them as it would get them one by one."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from service.cli.groups import grouped


@dataclass(frozen=True)
class Shape:
    """A group with an option that is required, and one of a list."""

    side: Annotated[int, typer.Option("--side", "-s", min=1, help="How long.")]
    names: Annotated[list[str] | None, typer.Option("--name", help="Repeatable.")] = None


@dataclass(frozen=True)
class Paint:
    """A group with defaults."""

    bright: Annotated[bool, typer.Option("--bright", help="How bright.")] = False
    depth: Annotated[float, typer.Option(help="How deep.")] = 0.5


app = typer.Typer()
seen: list[object] = []


@app.command()
@grouped
def draw(
    ctx: typer.Context,
    where: Annotated[str, typer.Argument(metavar="WHERE", help="On what.")],
    shape: Shape,
    paint: Paint,
    twice: Annotated[bool, typer.Option("--twice")] = False,
) -> None:
    """Draws something."""
    seen.append((where, shape, paint, twice))


@pytest.fixture(autouse=True)
def nothing_is_seen() -> None:
    seen.clear()


def run(*args: str) -> str:
    result = CliRunner().invoke(app, args)
    assert result.exit_code in (0, 2), result.output
    return result.output


def test_options_come_in_their_groups() -> None:
    run("paper", "-s", "3", "--name", "a", "--name", "b", "--bright", "--depth", "2", "--twice")
    run("wall", "--side", "1")
    assert seen == [
        ("paper", Shape(3, ["a", "b"]), Paint(bright=True, depth=2.0), True),
        ("wall", Shape(1), Paint(), False),
    ]


def test_help_names_every_option_once() -> None:
    told = run("--help")
    for option in ("WHERE", "--side", "--name", "--bright", "--depth", "--twice"):
        assert told.count(option) == (2 if option == "WHERE" else 1), told
    assert "Draws something." in told
    assert "0.5" in told


def test_rules_and_requirements_hold() -> None:
    assert "--side" in run("paper")
    assert "greater than or equal to" in run("paper", "--side", "0")
    assert seen == []
