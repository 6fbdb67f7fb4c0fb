"""`kindred models warm`: does once what a first start would, for all that share its folder."""

import dataclasses
import time
from typing import Annotated

import typer

from embedder import catalog
from service.cli.show import answers
from service.settings import load_settings


def warm(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Default: the models of the settings."),
    ] = None,
) -> None:
    """Derives what a first start would have to from weights, and keeps it in the cache folder.

    An image, or a machine that is to serve soon, starts fast from then on. What is derived depends
    on what the CPU has fast units for: beside what this one takes, what CPUs without bfloat16 take
    is derived, unless a precision is set, so that an image that was built here starts fast there.

    For example:

        kindred models warm
        KINDRED_CACHE=/var/cache/kindred kindred models warm kindred-mini
    """
    settings = load_settings()
    precisions = ("auto", "fp32") if settings.precision == "auto" else (settings.precision,)
    for name in names or settings.models:
        for precision in precisions:
            began = time.perf_counter()
            how = dataclasses.replace(settings.placement, precision=precision)
            loaded = catalog.load(name, how)
            answers().print(
                f"{name}: {loaded.runtime}, {time.perf_counter() - began:.1f} s",
                highlight=False,
                soft_wrap=True,
            )
    answers().print(f"kept in {settings.cache}", highlight=False, soft_wrap=True)
