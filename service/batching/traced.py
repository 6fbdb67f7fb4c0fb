"""What a trace tells of the queue: when the items of a request were decoded, waited, embedded."""

from collections.abc import Iterator, Sequence

from service.batching.job import Encoded, Outcome, Stages
from service.tracing import Facts, Stage, Traces


def trace_stages(traces: Traces, model: str, outcomes: Sequence[Outcome], since: float) -> None:
    """Records one span of each stage for all items together: of each item, it would be hundreds.

    Args:
        traces: Where to.
        model: What embedded them.
        outcomes: What became of the items.
        since: When they were sent, by `time.perf_counter`: what others asked for as well may have
            begun before.
    """
    if not traces.is_asked:
        return
    # What was remembered has been through no stage.
    items = [each.stages for each in outcomes if isinstance(each, Encoded) and each.stages.began]
    facts: Facts = {"kindred.model": model, "kindred.items": len(items)}
    traces.past(_together(items, since), facts)


def _together(items: Sequence[Stages], since: float) -> Iterator[Stage]:
    """Yields each stage from the first item that was in it to the last."""
    for same in zip(*map(_stages, items), strict=True):
        began = max(since, min(start for _, start, _ in same))
        yield same[0][0], began, max(began, *(end for _, _, end in same))


def _stages(stages: Stages) -> Iterator[Stage]:
    decoded = stages.began - stages.queue
    yield "decode", decoded - stages.decode, decoded
    yield "queue", decoded, stages.began
    yield "embed", stages.began, stages.began + stages.embed
