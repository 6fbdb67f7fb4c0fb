"""The model alone, in a process: told kind, batch and seconds, it tells items a second."""

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.serve.items import PHOTOS, photo_bytes, words
from benchmarks.serve.models import MODELS, made
from embedder.base import Embedder
from embedder.decode import decode
from embedder.media import Media, Text


def loads(kind: str, batch: int) -> list[Callable[[], Media]]:
    """Returns what makes media of so many items."""
    if kind == "text":
        first = random.SystemRandom().randrange(1 << 40)  # as clients do: a digit is a token
        return [partial(Text, words(first + i)) for i in range(batch)]
    return [partial(decode, photo_bytes(i % PHOTOS)) for i in range(batch)]


def rate(work: Callable[[], int], seconds: float) -> float:
    """Returns items a second, after one turn that does not count."""
    work()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += work()
    return done / (time.perf_counter() - began)


def rates(model: Embedder, kind: str, batch: int, seconds: float) -> tuple[float, float]:
    """Returns items a second of forward passes, and the most that a server could reach.

    That is decoding and preparing one after the other with the forward pass for a single client,
    and spread over all CPUs beside it for many.
    """
    made = loads(kind, batch)
    items = [model.prepare(load()) for load in made]
    forward = rate(lambda: len(model.encode(items)), seconds / 2)
    decoding = rate(lambda: len([model.prepare(load()) for load in made]), seconds / 2)
    cpus = 1 if batch == 1 else len(os.sched_getaffinity(0))
    return forward, 1 / (1 / forward + 1 / (cpus * decoding))


def main() -> None:
    """Answers lines of standard input until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, required=True)
    model = made(parser.parse_args().model, len(os.sched_getaffinity(0)))
    sys.stdout.write(f"{model.runtime}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        kind, batch, seconds = line.split()
        forward, most = rates(model, kind, int(batch), float(seconds))
        sys.stdout.write(f"{forward} {most}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
