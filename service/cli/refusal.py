"""Errors of ours end a command with one clear line and a status; a bug keeps its traceback.

Status 1: something failed on the way. Status 2: the question was wrong, and nothing was done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from service.cli.show import complain

FAILED, WRONG_USE = 1, 2
INTERRUPTED = 130
"""What shells expect after Ctrl-C: 128 and the number of SIGINT."""


class RefusingGroup(TyperGroup):
    """Runs a command and words its refusal for people."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as typer declares it
        """Reads the options before the command's name, of which some answer by themselves."""
        with _worded():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer declares it
        """Runs the command that was named."""
        with _worded():
            return super().invoke(ctx)


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except (typer.Exit, BrokenPipeError):
        raise
    except _known_errors() as error:
        complain(f"{str(error) or type(error).__name__}{_advice(error)}")
        raise typer.Exit(_status(error)) from error


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Words a missing package as what to install; stands around the import of what needs it.

    Raises:
        MissingDependency: If a package is not installed.
    """
    from embedder.errors import MissingDependency

    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"this needs {error.name}, which is not installed: pip install 'kindred[{extra}]'"
        ) from error


_ADVICE = {
    "COLLECTION_NOT_FOUND": "`kindred collections list` tells what there is, and "
    "`kindred index FOLDER` makes one",
    "UNAVAILABLE": "is a server there, and asked as it listens: http:// or grpc://, with TLS "
    "https:// or grpcs://? `kindred --ca FILE ...` says whose certificates are believed",
    "ROUTE_NOT_FOUND": "the server is no Kindred, or one of another version",
    "UNAUTHENTICATED": "`kindred --api-key KEY ...` or KINDRED_API_KEY shows one",
}
"""What to do next on the command line, by the reason of what failed."""


def _advice(error: Exception) -> str:
    from kindred import KindredError
    from service.errors import status_of
    from service.settings import SettingsError

    if isinstance(error, SettingsError):
        return ""
    reason = error.reason if isinstance(error, KindredError) else status_of(error).reason
    return f"; {_ADVICE[reason]}" if reason in _ADVICE else ""


def _known_errors() -> tuple[type[Exception], ...]:
    # Only reached when a command has failed: none of these are needed to run one.
    from embedder.errors import EmbedderError
    from indexes.errors import IndexesError
    from kindred import KindredError
    from service.errors import ServiceError
    from service.settings import SettingsError

    return EmbedderError, IndexesError, KindredError, ServiceError, SettingsError, OSError


def _status(error: Exception) -> int:
    from kindred import KindredError
    from service.errors import status_of
    from service.settings import SettingsError

    match error:
        case SettingsError():
            return WRONG_USE
        case KindredError(code=code):
            return WRONG_USE if code < 500 else FAILED
    return WRONG_USE if status_of(error).http < 500 else FAILED
