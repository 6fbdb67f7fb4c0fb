"""Measures, prints a table, and writes every figure as JSON; see `benchmarks.serve`."""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.serve import scenes
from benchmarks.serve.bounds import Bounds
from benchmarks.serve.models import MODELS
from benchmarks.serve.processes import Server, echo, peer, pin, raw, server
from benchmarks.serve.scenes import Row

SCENES = ("closed", "open", "bulk", "poison", "overhead", "soak")
_RATIOS = (
    "served_by_ceiling",
    "served_by_raw",
    "by_one",
    "p99_by_unloaded",
    "by_clean",
    "by_infinity",
    "rss_growth",
    "cpu_ms",
)


def compared(chosen: argparse.Namespace, served: Server) -> Iterator[Row]:
    """Yields the rows beside Infinity."""
    pin(chosen.cpus)
    with peer(chosen.peer, chosen.peer_folder) as other:
        pin(chosen.client_cpus)
        for kind in chosen.kinds:
            yield from scenes.beside_peer(served, other, kind, chosen.seconds)


def measured(chosen: argparse.Namespace, served: Server, bounds: Bounds) -> Iterator[Row]:
    """Yields the rows of the chosen scenes."""
    for kind in chosen.kinds:
        yield from of_kind(chosen, kind, served, bounds)
    if chosen.peer:
        yield from compared(chosen, served)
    if "soak" in chosen.scenes:
        yield from scenes.soak(served, chosen.requests, chosen.soak_seconds)


def of_kind(chosen: argparse.Namespace, kind: str, served: Server, bounds: Bounds) -> Iterator[Row]:
    """Yields the rows of one kind of items."""
    wanted, seconds, rounds = set(chosen.scenes), chosen.seconds, chosen.rounds
    if "closed" in wanted:
        yield from scenes.closed(served, bounds, kind, seconds, rounds)
    if "open" in wanted:
        yield from scenes.open_loop(served, kind, seconds, rounds)
    if "bulk" in wanted:
        yield from scenes.beside_bulk(served, kind, seconds, rounds)
    if "poison" in wanted:
        yield from scenes.poisoned(served, kind, seconds, rounds)
    if "overhead" in wanted:
        yield from scenes.overhead(served, kind, seconds)


def show(console: Console, row: Row) -> None:
    """Prints a row as soon as it is there."""
    ratio = next((f"{name} {row[name]:.2f}" for name in _RATIOS if name in row), "")
    console.print(f"{row['scene']}: {row['items_per_second']:.1f}/s, {ratio}", highlight=False)


def table(rows: list[Row], title: str, caption: str) -> Table:
    """Returns the figures of all rows."""
    found = Table(title=title, caption=caption)
    for heading in (
        "load",
        "items/s",
        "alone",
        "with decoding",
        "p50 ms",
        "p99 ms",
        "ratio",
        "possible",
        "target",
    ):
        found.add_column(heading, justify="left" if heading == "load" else "right")
    for row in rows:
        name, ratio = next((name, row[name]) for name in _RATIOS if name in row)
        found.add_row(
            row["scene"],
            f"{row['items_per_second']:.1f}",
            *(
                f"{row[f'{what}_items_per_second']:.1f}"
                if f"{what}_items_per_second" in row
                else ""
                for what in ("raw", "ceiling")
            ),
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{ratio:.2f} {name}",
            f"{row['possible']:.2f}" if "possible" in row else "",
            f"{row['target']:.2f}",
        )
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--cpus", default="", help="such as 2,3: for server, model and clients")
    parser.add_argument("--client-cpus", default="", help="of the clients, if they have their own")
    parser.add_argument("--scenes", nargs="*", choices=SCENES, default=SCENES[:-2])
    parser.add_argument("--kinds", nargs="+", choices=("text", "image"), default=("text", "image"))
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200_000, help="of a soak")
    parser.add_argument("--soak-seconds", type=float, default=36_000.0)
    parser.add_argument("--peer", default="", help="Python of an environment with Infinity")
    parser.add_argument("--peer-folder", type=Path, default=Path("runs/infinity-clip"))
    parser.add_argument("--json", type=Path, help="where the figures go")
    chosen = parser.parse_args()
    pin(chosen.cpus)
    console, rows, load = Console(), list[Row](), os.getloadavg()[0]
    with ExitStack() as running:
        alone = running.enter_context(raw(chosen.model))
        served = running.enter_context(server(chosen.model))
        answering = running.enter_context(echo())
        cpus = len(os.sched_getaffinity(0))
        pin(chosen.client_cpus)
        for row in measured(chosen, served, Bounds(alone, answering, cpus)):
            rows.append(row)
            show(console, row)
    title = f"{chosen.model} ({alone.runtime}) on {cpus} CPUs"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    clients = f"clients on {chosen.client_cpus}" if chosen.client_cpus else "clients on the same"
    caption = f"{platform.machine()}, {clients}, load {load:.1f} before, {day}"
    console.print(table(rows, title, caption))
    if chosen.json:
        facts = {"title": title, "date": day, "load_before": load, "rows": rows}
        chosen.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
