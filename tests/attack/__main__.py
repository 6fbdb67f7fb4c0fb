"""Runs attacks and prints what each counted: `python -m tests.attack [--seconds S] [NAME...]`."""

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.attack import (
    bombs,
    connections,
    decoders,
    disk,
    files,
    filters,
    floods,
    forgeries,
    framing,
    halves,
    headers,
    numbers,
    paths,
    races,
    rest,
    rpc,
    watchers,
)
from tests.attack.outcome import Outcome

ATTACKS: Mapping[str, Callable[[float], Outcome]] = {
    "rest": rest.attack,
    "headers": headers.attack,
    "framing": framing.attack,
    "floods": floods.attack,
    "rpc": rpc.attack,
    "halves": halves.attack,
    "races": races.attack,
    "decoders": decoders.attack,
    "connections": connections.attack,
    "watchers": watchers.attack,
    "paths": paths.attack,
    "forgeries": forgeries.attack,
    "disk": disk.attack,
    "files": files.attack,
    "bombs": bombs.attack,
    "filters": filters.attack,
    "numbers": numbers.attack,
}
"""By name: takes the seconds that it may go on, where it could go on for ever."""


def main() -> int:
    """Returns 1 if something broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ATTACKS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each that has no end")
    asked = parser.parse_args()
    if unknown := set(asked.names) - ATTACKS.keys():
        parser.error(f"there is no attack {', '.join(sorted(unknown))}")
    table = Table("Attack", "Seconds", "Counted", "Broken", show_lines=True)
    broken = 0
    for name in asked.names or ATTACKS:
        began = time.perf_counter()
        outcome = ATTACKS[name](asked.seconds)
        took = f"{time.perf_counter() - began:.0f}"
        broke = escape("\n".join(outcome.broken) or "nothing")
        table.add_row(name, took, escape(outcome.told()), broke)
        broken += len(outcome.broken)
    Console(width=160).print(table)
    return min(1, broken)


if __name__ == "__main__":
    sys.exit(main())
