"""The commands of `kindred`, together."""

from importlib.metadata import version
from typing import Annotated

import typer

from service.cli import options
from service.cli.aliases import commands as alias_commands
from service.cli.bind import bind
from service.cli.collections import commands as collection_commands
from service.cli.condition import condition
from service.cli.demo import demo
from service.cli.doctor import doctor
from service.cli.embed import embed
from service.cli.evaluate import evaluate
from service.cli.generate import generate
from service.cli.index import index
from service.cli.jobs import commands as job_commands
from service.cli.keys import commands as key_commands
from service.cli.models import commands as model_commands
from service.cli.profile import commands as profile_commands
from service.cli.refusal import RefusingGroup
from service.cli.rescue import rescue
from service.cli.search import search
from service.cli.serve import serve
from service.cli.show import answers
from service.cli.snapshot import restore, snapshot
from service.cli.tables import export, import_
from service.cli.train import train

HELP = """Finds pictures, sounds and words by one another, in one space.

To begin with:

    kindred demo                          # a gallery, questions, a search page
    kindred index ~/Pictures              # only what is new, when run again
    kindred search a dog on the beach
    kindred search --image dog.jpg -m audio
    kindred serve                         # REST, gRPC, http://localhost:8000

The status is 0, or 1 if something failed, or 2 if the question was wrong and nothing was done.
"""

app = typer.Typer(
    name="kindred",
    help=HELP,
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)
COMMANDS = (
    demo,
    index,
    search,
    serve,
    embed,
    generate,
    condition,
    snapshot,
    restore,
    export,
    import_,
    evaluate,
    train,
    bind,
    doctor,
    rescue,
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_"))(command)  # `import` is a word of Python's own
app.add_typer(collection_commands, name="collections")
app.add_typer(alias_commands, name="aliases")
app.add_typer(model_commands, name="models")
app.add_typer(profile_commands, name="profile")
app.add_typer(key_commands, name="keys")
app.add_typer(job_commands, name="jobs")


def _tell_version(asked: bool) -> None:
    if asked:
        answers().print(f"kindred {version('kindred')}", highlight=False)
        raise typer.Exit


@app.callback()
def _(
    api_key: options.ApiKey = None,
    ca: options.Authorities = None,
    client_certificate: options.Certificate = None,
    client_key: options.CertificateKey = None,
    priority: options.Urgency = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell it.")
    ] = False,
) -> None:
    """Takes what every command that asks a server needs; `Where.of` reads it."""
