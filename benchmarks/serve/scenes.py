"""What is measured; each scene returns rows, and every ratio is of figures taken in turns."""

import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from benchmarks.serve.arrivals import arrivals, waits
from benchmarks.serve.bounds import Bounds
from benchmarks.serve.load import Load
from benchmarks.serve.processes import Server, sent
from benchmarks.serve.watch import Watch

Row = dict[str, Any]

CONCURRENCY = (1, 8, 32)
TARGETS = {1: 0.80, 8: 0.85, 32: 0.90}
OPEN_SHARE = 0.8
BULK_BATCH = 64
OVERHEAD_MS = 0.5
BAD = 0.01
WARM_UP = 20_000
SOAK_SHARES = {"text": 0.95, "image": 0.05}


def closed(server: Server, bounds: Bounds, kind: str, seconds: float, rounds: int) -> Iterator[Row]:
    """Yields served throughput beside that of the model alone, at each concurrency.

    And that of many clients beside one, of which no more is possible than batches save where one
    client has its own target.
    """
    rows = []
    for clients in CONCURRENCY:
        load = Load(url=server.url, kind=kind, clients=clients, seconds=seconds)
        rows.append(_beside_bounds(bounds, load, rounds))
        yield rows[-1]
    one, *_, many = rows
    raw_many_by_one = many["ceiling_items_per_second"] / one["ceiling_items_per_second"]
    yield {
        **{name: many[name] for name in ("items_per_second", "p50_ms", "p99_ms", "answers")},
        "scene": f"{kind}, {CONCURRENCY[-1]} beside 1",
        "by_one": many["items_per_second"] / one["items_per_second"],
        "raw_by_one": raw_many_by_one,
        "possible": raw_many_by_one / TARGETS[1],
        "target": 3.0,
    }


def _beside_bounds(bounds: Bounds, load: Load, rounds: int) -> Row:
    pairs = [
        (bounds.of(load.kind, load.clients, load.seconds / 2), sent(load)[0]) for _ in range(rounds)
    ]
    rates = [found["items_per_second"] for _, found in pairs]
    prepared = [bound.prepared for bound, _ in pairs]
    return {
        "scene": f"{load.kind}, {load.clients} at a time",
        **max((found for _, found in pairs), key=lambda found: found["items_per_second"]),
        "items_per_second": statistics.median(rates),
        "raw_items_per_second": statistics.median(bound.alone for bound, _ in pairs),
        "ceiling_items_per_second": statistics.median(prepared),
        "served_by_raw": _median_ratio(rates, [bound.alone for bound, _ in pairs]),
        "served_by_ceiling": _median_ratio(rates, prepared),
        "possible": _median_ratio([bound.possible for bound, _ in pairs], prepared),
        "target": TARGETS[load.clients],
    }


def overhead(server: Server, kind: str, seconds: float) -> Iterator[Row]:
    """Yields the processor time that a request of one item takes of the server, by transport."""
    urls = {"REST": server.url, "gRPC": server.rpc}
    for (transport, url), clients in product(urls.items(), (1, CONCURRENCY[-1])):
        load = Load(url=url, kind=kind, clients=clients, seconds=seconds)
        sent(replace(load, seconds=seconds / 4))
        begun = server.cpu_seconds
        (found,) = sent(load)
        spent = [after - before for before, after in zip(begun, server.cpu_seconds, strict=True)]
        service, decoding = (1000 * each / found["sent"] for each in spent)
        yield {
            "scene": f"{kind} over {transport}, {clients} at a time",
            **found,
            "cpu_ms": service,
            "decoding_cpu_ms": decoding,
            "target": OVERHEAD_MS,
        }


def beside_peer(server: Server, peer: str, kind: str, seconds: float) -> Iterator[Row]:
    """Yields throughput beside that of Infinity, which serves the same architecture, in turns."""
    for clients in CONCURRENCY:
        load = Load(url=server.url, kind=kind, clients=clients, seconds=seconds)
        (theirs,) = sent(replace(load, url=peer, path="/embeddings"))
        if not theirs["items_per_second"]:
            raise RuntimeError(f"Infinity answers {kind} with {theirs['answers']}")
        (found,) = sent(load)
        yield {
            "scene": f"{kind}, {clients} at a time, beside Infinity",
            **found,
            "infinity": theirs,
            "by_infinity": found["items_per_second"] / theirs["items_per_second"],
            "target": 2.0,
        }


def open_loop(server: Server, kind: str, seconds: float, rounds: int) -> Iterator[Row]:
    """Yields latencies at a rate that is most of what was served a moment before.

    Beside them, those of an ideal queue of the same capacity, to which the same requests come: what
    is `possible` where batches save nothing.
    """
    found = [_open_round(server, kind, seconds, seed) for seed in range(rounds)]
    yield {
        "scene": f"{kind}, open loop at {OPEN_SHARE:.0%}",
        **_medians(found),
        "target": 4.0,
    }


def _open_round(server: Server, kind: str, seconds: float, seed: int) -> Row:
    load = Load(url=server.url, kind=kind, seconds=seconds, seed=seed)
    (alone,) = sent(replace(load, clients=1))
    (most,) = sent(replace(load, clients=CONCURRENCY[-1]))
    capacity = most["items_per_second"]
    steady = replace(load, rate=OPEN_SHARE * capacity, seconds=2 * seconds)
    (found,) = sent(steady)
    waited = waits(list(arrivals(steady.rate, steady.seconds, seed)), 1 / capacity)
    ideal = alone["p50_ms"] + 1000 * float(np.percentile(waited, 99))
    return {
        **found,
        "capacity_items_per_second": capacity,
        "unloaded_p50_ms": alone["p50_ms"],
        "unloaded_p99_ms": alone["p99_ms"],
        "p99_by_unloaded": found["p99_ms"] / alone["p99_ms"],
        "p99_by_unloaded_p50": found["p99_ms"] / alone["p50_ms"],
        "possible": ideal / alone["p99_ms"],
    }


def beside_bulk(server: Server, kind: str, seconds: float, rounds: int) -> Iterator[Row]:
    """Yields latencies of single requests while others store as many pictures as they can."""
    collection = f"bulk-{kind}"
    server.post("/v1/collections", {"name": collection})
    bulk = Load(
        url=server.url,
        path=f"/v1/collections/{collection}/items:upsert",
        kind="image",
        clients=2,
        batch=BULK_BATCH,
        seconds=2 * seconds,
    )
    (bulk_alone,) = sent(bulk)
    yield {
        "scene": f"{kind}, 1 at a time, beside bulk",
        **_medians([_bulk_round(server, kind, seconds, bulk) for _ in range(rounds)]),
        "bulk_alone_items_per_second": bulk_alone["items_per_second"],
        "target": 3.0,
    }


def _bulk_round(server: Server, kind: str, seconds: float, bulk: Load) -> Row:
    one = Load(url=server.url, kind=kind, clients=1, seconds=2 * seconds)
    (alone,) = sent(one)
    found, stored = sent(one, bulk)
    return {
        **found,
        "unloaded_p99_ms": alone["p99_ms"],
        "p99_by_unloaded": found["p99_ms"] / alone["p99_ms"],
        "bulk_items_per_second": stored["items_per_second"],
    }


def poisoned(server: Server, kind: str, seconds: float, rounds: int) -> Iterator[Row]:
    """Yields throughput with one bad item in a hundred, beside that without, by turns.

    Each bad item has its own error, and every vector is that of its item alone: see `poison`.
    """
    for (wire, url), batch in product({"REST": server.url, "gRPC": server.rpc}.items(), (1, 8)):
        load = Load(
            url=url, kind=kind, clients=16 // batch, batch=batch, seconds=seconds, is_checked=True
        )
        with Watch(server) as watch:
            pairs = [_with_and_without(load, number % 2 == 0) for number in range(rounds)]
        rates = ([each["items_per_second"] for each in found] for found in zip(*pairs, strict=True))
        yield {
            "scene": f"{kind} over {wire}, {batch} in a request, 1 % bad",
            **_medians([bad for bad, _ in pairs]),
            **watch.health(),
            "by_clean": _median_ratio(*rates),
            "target": 0.9,
        }


def _with_and_without(clean: Load, is_clean_first: bool) -> tuple[Row, Row]:
    loads = (replace(clean, bad=BAD), clean)
    found = [sent(load)[0] for load in (reversed(loads) if is_clean_first else loads)]
    bad, good = reversed(found) if is_clean_first else found
    return bad, good


def soak(server: Server, requests: int, seconds: float) -> Iterator[Row]:
    """Yields how memory grows over many requests, over both transports, one in a hundred bad.

    They come after `WARM_UP` of the same: after 5,000 a server had not yet taken what it needs.
    """
    _soaked(server, WARM_UP, seconds)
    begun = time.monotonic()
    with Watch(server) as watch:
        found = _soaked(server, requests, seconds)
    took = time.monotonic() - begun
    count = sum(each["sent"] for each in found)
    yield {
        "scene": f"soak, {count} requests",
        **_medians(found),
        "items_per_second": count / took,
        "sent": count,
        **watch.memory(),
        **watch.health(),
        "target": 0.05,
    }


def _soaked(server: Server, requests: int, seconds: float) -> Sequence[Row]:
    """Sends so many requests by kind and transport, all at the same time."""
    shares = product((server.url, server.rpc), SOAK_SHARES.items())
    loads = (
        Load(
            url=url,
            kind=kind,
            clients=4,
            requests=max(1, round(requests * share / 2)),
            seconds=seconds,
            bad=BAD,
        )
        for url, (kind, share) in shares
    )
    return sent(*loads)


def _median_ratio(served: Sequence[float], alone: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(served, alone, strict=True))


def _medians(rounds: Sequence[Row]) -> Row:
    """Returns the median of each figure, the most of what is a most, and the answers of all."""
    figures = (name for name, value in rounds[0].items() if isinstance(value, int | float))
    answers = sum((Counter(each["answers"]) for each in rounds), Counter[str]())
    of_all = {
        name: (max if name.startswith("most_") else statistics.median)(
            each[name] for each in rounds
        )
        for name in figures
    }
    return {**of_all, "answers": dict(answers)}
