"""What the service tells its operator, and nobody else: JSON logs, Prometheus metrics, traces."""

import functools
import logging
import random
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Generic, TypeVar

import orjson
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from service.tracing import Traces

T = TypeVar("T")

VERSION = version("kindred")
"""Of what is running."""

# When each label was first seen: as many samples again, of use to nobody.
disable_created_metrics()  # type: ignore[no-untyped-call]

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the request that is being answered; also in the header `x-request-id` of its answer."""

_naming = random.Random()
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)


def request_id_of(sent: str | None) -> str:
    """Returns the client's own request id if it can stand in a log, else 16 hexadecimal digits.

    They are random, but keep no secret: to ask the system for them lets other threads go first, for
    which each request would wait.
    """
    if sent and _SAFE_ID.fullmatch(sent):
        return sent
    return f"{_naming.getrandbits(64):016x}"


class Labelled(Generic[T]):
    """A metric, by its labels, which `prometheus_client` would look up for longer than it counts.

    Args:
        labels: The metric's own look-up.
    """

    def __init__(self, labels: Callable[..., T]) -> None:
        self.labels = functools.cache(labels)


class Telemetry:
    """The metrics of one engine, in a registry of its own, so that two engines don't add up.

    Args:
        collector: Gets traces, see `service.tracing`.

    Attributes:
        traces: Of the same engine.
    """

    def __init__(self, collector: str = "") -> None:
        self.traces = Traces(collector)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Info("kindred_build", "What is running.", registry=self.registry)
        build.info({"version": VERSION})
        self._count_requests()
        self._count_items()
        self._count_jobs()

    def _count_requests(self) -> None:
        self.requests = self._count(
            "requests",
            "Requests answered, by transport, method and status.",
            ("transport", "method", "status"),
        )
        self.request_seconds = self._spread(
            "request_seconds",
            "Time from a request's arrival to its answer.",
            ("transport", "method"),
        )
        self.stage_seconds = self._spread(
            "stage_seconds",
            "Time in decode, queue, embed, search or store, by transport.",
            ("stage", "transport"),
        )
        self.errors = self._count(
            "errors", "Requests that failed, by transport and reason.", ("transport", "reason")
        )

    def _count_items(self) -> None:
        self.batch_items = self._spread(
            "batch_items", "Items that shared a forward pass.", ("model", "modality"), _ITEMS
        )
        self.item_errors = self._count(
            "item_errors",
            "Items without a vector, by reason; a bad one costs itself alone.",
            ("model", "reason"),
        )
        self.ready = self._level(
            "ready", "1 if the last probe of a model by /readyz or grpc.health.v1 was well, else 0."
        )
        self.decoders_replaced = self._count(
            "decoders_replaced",
            "Decoding processes that were replaced, by lane and cause.",
            ("lane", "cause"),
        )
        self.queue_items = self._level("queue_items", "Items admitted and not yet embedded.")
        self.cache_hits = self._count("cache_hits", "Items whose vector was remembered.")
        self.cache_misses = self._count("cache_misses", "Items whose vector was not remembered.")
        self.cache_coalesced = self._count(
            "cache_coalesced", "Items that waited for the same item of another request."
        )
        self.cache_bytes = self._level("cache_bytes", "Bytes of the vectors that are remembered.")

    def _count_jobs(self) -> None:
        self.jobs = self._level("jobs", "Jobs of this server that wait or are worked on.", "state")
        self.jobs_ended = self._count("jobs_ended", "Jobs that are over.", ("task", "state"))
        self.job_items = self._count("job_items", "Items of jobs, by their fate.", ("task", "fate"))

    def _spread(
        self, name: str, meaning: str, by: tuple[str, ...], bounds: tuple[float, ...] = _SECONDS
    ) -> Labelled[Histogram]:
        made = Histogram(f"kindred_{name}", meaning, by, buckets=bounds, registry=self.registry)
        return Labelled(made.labels)

    def _level(self, name: str, meaning: str, by: str = "model") -> Labelled[Gauge]:
        made = Gauge(f"kindred_{name}", meaning, (by,), registry=self.registry)
        return Labelled(made.labels)

    def _count(
        self, name: str, meaning: str, by: tuple[str, ...] = ("model",)
    ) -> Labelled[Counter]:
        made = Counter(f"kindred_{name}", meaning, by, registry=self.registry)
        return Labelled(made.labels)

    @contextmanager
    def stage(self, name: str, transport: str) -> Iterator[None]:
        """Measures a stage of a request that came by a transport."""
        timed = self.stage_seconds.labels(name, transport).time()
        with self.traces.stage(name), timed:
            yield

    def answered(self, how: tuple[str, str, str], reason: str, seconds: float) -> None:
        """Counts one answered request.

        Args:
            how: Transport, method and status.
            reason: Why it failed; empty if it did not.
            seconds: From its arrival to its answer.
        """
        transport, method, _ = how
        self.requests.labels(*how).inc()
        self.request_seconds.labels(transport, method).observe(seconds)
        if reason:
            self.errors.labels(transport, reason).inc()

    def exposition(self) -> bytes:
        """Returns every metric in the Prometheus text format."""
        return generate_latest(self.registry)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, with the id of the request in which it arose."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line.update(vars(record).get("facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure_logging(level: str) -> None:
    """Sends every log of the process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
