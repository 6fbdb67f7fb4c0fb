"""Traces of requests and jobs, for an OpenTelemetry collector: off unless one is named.

    request: a span, a child of the caller's own if they send a `traceparent`
        decode, queue, embed, search, store
    job: a span, linked to the request that created it
    batch: what a job stores together: a trace of its own, linked to the job, since nobody could
        read the trace of a million items
        decode, queue, embed, store

Names of attributes are OpenTelemetry's (semantic conventions 1.44), our own begin with `kindred.`.
No text, file, key or name of a file is told.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from importlib.metadata import version

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from embedder.errors import MissingDependency

SEND_SECONDS = 3.0
"""So long a collector may take for what it is sent, and at the end for all that it was not sent."""

Facts = Mapping[str, AttributeValue]

Stage = tuple[str, float, float]
"""A stage, when it began and when it ended, by `time.perf_counter`."""

Origin = tuple[trace.Link, ...]
"""Leads to what a span comes from, if that is known."""

_job: ContextVar[Origin] = ContextVar("job", default=())
"""The span of the job that goes on in this context, if one does."""


class Traces:
    """The traces of one engine.

    Args:
        collector: Base address of OTLP over HTTP, such as http://localhost:4318; "" for no traces.

    Raises:
        MissingDependency: If there is a collector and the packages that speak to it are missing.
    """

    def __init__(self, collector: str = "") -> None:
        self._tracer: trace.Tracer | None = None
        self._end: Callable[[], None] = lambda: None
        if collector:
            self._tracer, self._end = _exporting(collector)

    @property
    def is_asked(self) -> bool:
        """Whether somebody wants to know of the stages of what goes on in this context."""
        return self._tracer is not None and trace.get_current_span().is_recording()

    def request(
        self, name: str, sent: Mapping[str, str]
    ) -> AbstractContextManager[trace.Span, bool | None]:
        """Records a request, while it is entered; `conclude` tells how it ended.

        Args:
            name: What is asked.
            sent: Headers or metadata, which may name the span of the caller.
        """
        if self._tracer is None:
            return nullcontext(trace.INVALID_SPAN)
        return self._tracer.start_as_current_span(
            name,
            context=propagate.extract(sent),
            kind=trace.SpanKind.SERVER,
            record_exception=False,  # a refusal ends a call by an exception, and is no fault
            set_status_on_exception=False,
        )

    def origin(self) -> Origin:
        """Returns what leads to the span of this context, for a `job` that it creates."""
        context = trace.get_current_span().get_span_context()
        return (trace.Link(context),) if context.is_valid else ()

    @contextmanager
    def job(self, name: str, origin: Origin, facts: Facts) -> Iterator[trace.Span]:
        """Records a job, while it is entered; `conclude` tells how it ended.

        Args:
            name: What it does.
            origin: What created it; nothing after a restart.
            facts: About it.
        """
        if self._tracer is None:
            yield trace.INVALID_SPAN
            return
        span = self._tracer.start_span(
            name, Context(), trace.SpanKind.CONSUMER, attributes=dict(facts), links=origin
        )
        token = _job.set((trace.Link(span.get_span_context()),))
        try:
            yield span
        finally:
            _job.reset(token)
            span.end()

    def batch(self) -> AbstractContextManager[object, bool | None]:
        """Records what a job does together, while it is entered; nothing where no job goes on."""
        if self._tracer is None or not (job := _job.get()):
            return nullcontext()
        return self._tracer.start_as_current_span("batch", Context(), links=job)

    def stage(self, name: str) -> AbstractContextManager[object, bool | None]:
        """Records a stage of the request or batch in whose context it is entered."""
        if self._tracer is None or not self.is_asked:
            return nullcontext()
        return self._tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        )

    def past(self, stages: Iterable[Stage], facts: Facts) -> None:
        """Records stages of the request or batch in whose context this is called, which are over.

        Args:
            stages: When each began and ended.
            facts: About all of them.
        """
        if self._tracer is None or not self.is_asked:
            return
        zero = time.time_ns() - time.perf_counter_ns()
        for name, began, ended in stages:
            start, attributes = zero + int(1e9 * began), dict(facts)
            span = self._tracer.start_span(name, attributes=attributes, start_time=start)
            span.end(zero + int(1e9 * ended))

    def close(self) -> None:
        """Sends what has not been sent yet; takes no longer than `SEND_SECONDS`."""
        self._end()


UNTRACED = Traces()
"""Of what nobody wants to know."""


def conclude(span: trace.Span, facts: Facts, reason: str, *, is_fault: bool) -> None:
    """Tells how a request or a job ended.

    Args:
        span: Its own.
        facts: About it.
        reason: Why it failed; empty if it did not.
        is_fault: Whether the fault was the server's: to OpenTelemetry no refusal is an error.
    """
    if not span.is_recording():
        return
    span.set_attributes(facts)
    if reason:
        span.set_attribute("kindred.reason", reason)
    if is_fault:
        span.set_attribute("error.type", reason)
        span.set_status(trace.StatusCode.ERROR, reason)


def _exporting(collector: str) -> tuple[trace.Tracer, Callable[[], None]]:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"traces need {error.name}, which is not installed: pip install 'kindred[tracing]'"
        ) from error
    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": "kindred", "service.version": version("kindred")}
        ),
        shutdown_on_exit=False,  # `end` bounds what that may take
    )
    exporter = OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces", timeout=SEND_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def end() -> None:
        # The collector has its time for each batch: one that hangs would have it many times over.
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(SEND_SECONDS)

    return provider.get_tracer("kindred"), end
