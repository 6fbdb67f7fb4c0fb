"""The model alone, in a process: told kind, batch and seconds, it tells items a second."""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle

from benchmarks.serve.items import PHOTOS, photo_bytes, words
from benchmarks.serve.models import MODELS, made
from embedder.base import Embedder, Prepared
from embedder.decode import decode
from embedder.media import Media, Text

VARIETY = {"text": 48, "image": 1}
"""Items of different shapes: each shape after another costs a runtime that was not ready for it."""


def loads(kind: str, count: int) -> list[Callable[[], Media]]:
    """Returns what makes media of so many items."""
    if kind == "text":
        first = random.SystemRandom().randrange(1 << 40)  # as clients do: a digit is a token
        return [partial(Text, words(first + i)) for i in range(count)]
    return [partial(decode, photo_bytes(i % PHOTOS)) for i in range(count)]


def rate(turns: Sequence[Callable[[], int]], seconds: float) -> float:
    """Returns items a second of turns, one after the other; the first of each does not count."""
    for turn in turns:
        turn()
    done, began = 0, time.perf_counter()
    for turn in cycle(turns):
        done += turn()
        if (taken := time.perf_counter() - began) >= seconds:
            break
    return done / taken


def forward_rate(
    model: Embedder, batches: Sequence[Sequence[Prepared]], passes: int, seconds: float
) -> float:
    """Returns items a second of forward passes that share each batch out among them."""
    with ThreadPoolExecutor(passes) as threads:

        def turn(batch: Sequence[Prepared]) -> int:
            parts = [part for i in range(passes) if (part := batch[i::passes])]
            return sum(map(len, threads.map(model.encode, parts)))

        return rate([partial(turn, batch) for batch in batches], seconds)


def rates(
    ways: Mapping[int, Embedder], kind: str, batch: int, seconds: float
) -> tuple[float, float]:
    """Returns items a second of forward passes, and the most that a server could reach.

    The model may run one pass with all threads or several that share them: the faster way counts.

    That is decoding and preparing one after the other with the forward pass for a single client,
    and spread over all CPUs beside it for many.
    """
    made, model = loads(kind, max(batch, VARIETY[kind])), ways[1]
    items = [model.prepare(load()) for load in made]
    batches = [items[i : i + batch] for i in range(0, len(items) - batch + 1, batch)]
    part = seconds / 2 / len(ways)
    forward = max(forward_rate(way, batches, passes, part) for passes, way in ways.items())
    decoding = rate([lambda: len([model.prepare(load()) for load in made])], seconds / 2)
    cpus = 1 if batch == 1 else len(os.sched_getaffinity(0))
    return forward, 1 / (1 / forward + 1 / (cpus * decoding))


def main() -> None:
    """Answers lines of standard input until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, required=True)
    name, threads = parser.parse_args().model, len(os.sched_getaffinity(0))
    ways = {passes: made(name, threads, passes) for passes in (1, min(2, threads))}
    sys.stdout.write(f"{ways[1].runtime}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        kind, batch, seconds = line.split()
        forward, most = rates(ways, kind, int(batch), float(seconds))
        sys.stdout.write(f"{forward} {most}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
