"""Damaged files of every format through the decoding processes, as a server runs them."""

import itertools
import random
import time
from collections.abc import Callable

import numpy as np

from embedder.decode.limits import Limits
from embedder.errors import MediaError
from embedder.media import Modality
from service.decoding.pool import Bounds, DecodePool
from tests.attack.outcome import Outcome
from tests.embedder.test_decode_fuzz import SEEDS, damaged
from tests.samples import colours, film_bytes, tone

MIB = 1024 * 1024
BOUNDS = Bounds(Limits(max_pixels=4_000_000, max_seconds=60), 512 * MIB, 10.0)

FILMS: dict[str, Callable[[], bytes]] = {
    "film MP4": lambda: film_bytes(colours("red", "blue"), sound=tone(seconds=2)),
    "film WebM": lambda: film_bytes(
        colours("red", "blue"), sound=tone(seconds=2), kind=("webm", "libvpx", "libopus")
    ),
    "film AVI": lambda: film_bytes(colours("red"), kind=("avi", "mpeg4", "mp3")),
    "film MOV": lambda: film_bytes(colours("red"), kind=("mov", "libx264", "aac")),
}


def attack(seconds: float) -> Outcome:
    """Decodes damaged copies for so long: media or a typed error, and the pool goes on."""
    outcome = Outcome()
    dice, seeds = (
        np.random.default_rng(int(time.time())),
        [make() for make in (SEEDS | FILMS).values()],
    )
    ways = (damaged, _truncated, _oversized, _crossed(seeds))
    until = time.monotonic() + seconds
    with DecodePool(1, BOUNDS) as pool:
        for seed in itertools.cycle(seeds):
            if time.monotonic() > until:
                break
            data = ways[dice.choice(len(ways), p=(0.7, 0.1, 0.1, 0.1))](seed, dice)
            modality = (Modality.IMAGE, Modality.AUDIO)[int(dice.integers(2))]
            _decode(pool, modality, data, outcome)
        outcome.expect(_works(pool), "a good picture no longer decodes")
    return outcome


def _decode(pool: DecodePool, modality: Modality, data: bytes, outcome: Outcome) -> None:
    began = time.monotonic()
    outcome.note("files")
    try:
        pool.decode(modality, data)
        outcome.note("decoded")
    except MediaError as error:
        text = str(error)
        ended = "ended by" in text and text.rpartition("ended by ")[2]
        outcome.note(f"processes that ended by {ended}" if ended else type(error).__name__)
        if "took longer" in text:
            outcome.note("processes ended at their time")
    took = time.monotonic() - began
    outcome.expect(took < BOUNDS.seconds + 10, f"one file took {took:.0f} s: {data[:40]!r}")


def _works(pool: DecodePool) -> bool:
    decoded = pool.decode(Modality.IMAGE, SEEDS["PNG"]())
    return type(decoded).__name__ == "Image"


def _truncated(data: bytes, dice: np.random.Generator) -> bytes:
    return data[: int(dice.integers(len(data)))]


def _oversized(data: bytes, dice: np.random.Generator) -> bytes:
    """Blows up numbers of the header, or appends megabytes."""
    file = bytearray(data)
    for _ in range(int(dice.integers(1, 4))):
        place = int(dice.integers(min(len(file) - 4, 300)))
        file[place : place + 4] = random.Random(int(dice.integers(1 << 30))).choice(
            (b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x01\x00\x00")
        )
    return bytes(file) + bytes(int(dice.choice((0, 0, 4 * MIB))))


def _crossed(seeds: list[bytes]) -> Callable[[bytes, np.random.Generator], bytes]:
    """Makes a file of the head of one format and the tail of another."""

    def cross(data: bytes, dice: np.random.Generator) -> bytes:
        other = seeds[int(dice.integers(len(seeds)))]
        return data[: int(dice.integers(8, 200))] + other[int(dice.integers(8, 200)) :]

    return cross
