"""What is known of an engine: the figures of a run."""

from dataclasses import dataclass, field

from benchmarks.search.engines import ENGINES
from benchmarks.search.workload import CROSS

GOOD = 0.97
"""Filters and adds are measured at the lowest effort with this recall, else at the highest."""


@dataclass(frozen=True, slots=True)
class Point:
    """What an engine does with a question at one effort; times are medians over rounds.

    Attributes:
        question: Its name.
        effort: The setting.
        recall: Share of the true ten nearest, or of all survivors if they are fewer.
        p50: Milliseconds.
        p99: Milliseconds.
        cpu: Milliseconds of processor, on all threads; unlike the others, it hardly depends on
            what else the machine is doing.
        rate: Queries a second, one at a time.
    """

    question: str
    effort: int
    recall: float
    p50: float
    p99: float
    cpu: float
    rate: float


@dataclass(slots=True)
class Result:
    """What was measured of one engine; rates are rows a second, memory and disk bytes a row.

    Attributes:
        engine: Its name.
        version: What is installed.
        kept: What is on disk when rows are acknowledged.
        effort: What its efforts set.
        ingest: Rate of what is acknowledged, by "writers x batch".
        synced: Rate of what is on disk: of engines that leave that to others, each batch is synced
            for them; those that write nothing have none.
        indexed: Rate of images in batches of 1,000 until they are on disk, as far as they go there,
            and the index answers.
        building: Seconds to bring the images under the index, after adding them.
        memory: Growth of the process by the images.
        disk: After closing, of all rows that were stored.
        adds: Rate of adds in batches of 100 beside searches, their p99 in ms without and with
            adds, and the median ratio of the two.
        points: Questions and efforts.
        failed: Why it has no further figures.
    """

    engine: str
    version: str
    kept: str
    effort: str
    ingest: dict[str, float] = field(default_factory=dict)
    synced: dict[str, float] = field(default_factory=dict)
    indexed: float = 0.0
    building: float = 0.0
    memory: float = 0.0
    disk: float = 0.0
    adds: dict[str, float] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    failed: str = ""


def good_effort(result: Result) -> int:
    """Returns the lowest effort whose recall across modalities is good, else the highest.

    Of an engine that chooses its effort itself, it is that one, which is what its users get.
    """
    trait = ENGINES[result.engine].trait
    enough = (
        point.effort
        for point in result.points
        if point.question == CROSS and (point.recall >= GOOD or trait.adapts)
    )
    return min(enough, default=trait.efforts[-1])
