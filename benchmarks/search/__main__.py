"""How well and how fast Kindred finds, beside hnswlib, usearch, LanceDB, Chroma and Milvus Lite.

    python -m benchmarks.search --peers --minutes 15   # 100,000 vectors, every engine
    python -m benchmarks.search --rows 1000000         # Kindred alone
    python -m benchmarks.search plot REPORT.json...    # recall against latency, as one picture
    python -m benchmarks.search table REPORT.json      # the README's tables, in Markdown

Every engine runs in a process of its own on the same CPUs and they take turns, question by
question, round by round, so that a machine that drifts drifts for all of them. Each is asked in
its process, one query at a time. Recall is against exact search in float32; latencies are medians
over the rounds. With `--minutes`, there are fewer rounds where time is short, and a run that is
cut off leaves what it knew in the file of `--json`. Peers: pip install 'kindred[bench]'.
"""

import argparse
import math
import tempfile
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from benchmarks.search.data import matched_cosine, real, synthetic
from benchmarks.search.engines import ENGINES, OURS
from benchmarks.search.figures import Result
from benchmarks.search.play import Rules, play
from benchmarks.search.plot import plot
from benchmarks.search.profile import profile
from benchmarks.search.report import Report, machine, show
from benchmarks.search.tables import markdown
from benchmarks.search.workload import Workload

RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints, or draws."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "plot":
        plot([Report.read(path) for path in chosen.reports], chosen.out)
        return
    if chosen.command == "table":
        Console(soft_wrap=True, markup=False).print(markdown(Report.read(chosen.report)))
        return
    show(_measure(chosen), Console())


def _measure(chosen: argparse.Namespace) -> Report:
    """Plays, and writes what is known after every turn."""
    with ExitStack() as stack:
        folder = chosen.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        workload = _workload(chosen, folder)
        before = machine(chosen.threads)
        rules = Rules(chosen.rounds, chosen.seconds, chosen.threads, chosen.minutes)
        described = profile(workload.vectors, workload.images)
        if not chosen.vectors:
            described["matched text-image cosine"] = f"{matched_cosine(chosen.dim):.3f}"
        report = partial(Report, workload.images, workload.sounds, chosen.dim, described, before)

        def keep(results: list[Result]) -> None:
            if chosen.json:
                report(results).write(chosen.json)

        return report(play(_engines(chosen), workload, rules, folder, keep))


def _workload(chosen: argparse.Namespace, folder: Path) -> Workload:
    sizes = {"image": chosen.rows, "audio": chosen.rows // 5}
    if chosen.vectors:
        vectors = real(chosen.vectors, folder, chosen.queries)
        sizes = {name: len(vectors.rows(name)) for name in sizes}
    else:
        vectors = synthetic(folder, sizes, chosen.queries, chosen.dim)
    return Workload(vectors, sizes["image"], sizes["audio"])


def _engines(chosen: argparse.Namespace) -> list[str]:
    """Returns the engines that were asked for and are installed; says what installs the others."""
    names = []
    for name in chosen.engines or (list(ENGINES) if chosen.peers else [OURS]):
        trait = ENGINES[name].trait
        if find_spec(trait.module) is None:
            Console(stderr=True).print(f"{name} is left out: pip install {trait.distribution}")
        else:
            names.append(name)
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.set_defaults(command="run")
    parser.add_argument("--rows", type=int, default=100_000, help="images; sounds are a fifth")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--peers", action="store_true", help="beside every other engine")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), help="these only")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--minutes", type=float, default=math.inf, help="of all, vectors aside")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vectors", type=Path, help="an .npz with arrays image, audio and text")
    parser.add_argument("--folder", type=Path, help="keeps vectors and stores; else they are gone")
    parser.add_argument("--json", type=Path, help="where to write the report")
    commands = parser.add_subparsers()
    drawing = commands.add_parser("plot", help="draws reports that were written")
    drawing.set_defaults(command="plot")
    drawing.add_argument("reports", type=Path, nargs="+")
    telling = commands.add_parser("table", help="prints a report as Markdown")
    telling.set_defaults(command="table")
    telling.add_argument("report", type=Path)
    drawing.add_argument("--out", type=Path, default=RESULTS / "recall-latency.svg")
    return parser


if __name__ == "__main__":
    main()
