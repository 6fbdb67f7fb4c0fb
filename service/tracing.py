"""Traces of requests, for an OpenTelemetry collector: off unless one is named.

A request is a span, a child of the caller's own if it sends a `traceparent`; its stages are spans
below it. Names of attributes are OpenTelemetry's, our own begin with `kindred.`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from opentelemetry import propagate, trace
from opentelemetry.util.types import AttributeValue

from embedder.errors import MissingDependency

FLUSH_MS = 3000
"""So long a collector may take at the end for what it has not been sent yet."""


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

    def request(
        self, name: str, sent: Mapping[str, str]
    ) -> AbstractContextManager[trace.Span, bool | None]:
        """Records a request, while it is entered.

        Args:
            name: What is asked.
            sent: Headers or metadata, which may name the span of the caller.
        """
        if self._tracer is None:
            return nullcontext(trace.INVALID_SPAN)
        caller = propagate.extract(sent)
        return self._tracer.start_as_current_span(name, context=caller, kind=trace.SpanKind.SERVER)

    def stage(
        self, name: str, **facts: AttributeValue
    ) -> AbstractContextManager[object, bool | None]:
        """Records a stage of the request in whose context it is entered."""
        if self._tracer is None:
            return nullcontext()
        attributes = {f"kindred.{fact}": value for fact, value in facts.items()}
        return self._tracer.start_as_current_span(name, attributes=attributes)

    def close(self) -> None:
        """Sends what has not been sent yet; may take as long as `FLUSH_MS`."""
        self._end()


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
    provider = TracerProvider(resource=Resource.create({"service.name": "kindred"}))
    exporter = OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces", timeout=FLUSH_MS / 1000)
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def end() -> None:
        provider.force_flush(FLUSH_MS)
        provider.shutdown()

    return provider.get_tracer("kindred"), end
