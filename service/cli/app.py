"""Puts the commands together."""

import typer

from service.cli.embed import embed
from service.cli.index import index
from service.cli.models import models
from service.cli.refusal import RefusingGroup
from service.cli.search import search

app = typer.Typer(
    name="kindred",
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
    help=__doc__,
)
for command in (index, search, embed, models):
    app.command()(command)
