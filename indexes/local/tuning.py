"""How a folder of collections uses memory, time and processors."""

from dataclasses import dataclass, field

from indexes.derived.effort import FEWEST_QUERIES
from indexes.derived.partition import Layout
from indexes.local.line import MOST_ROWS


@dataclass(frozen=True, slots=True)
class Tuning:
    """What may be set; the defaults fit a machine of two processors or more.

    Attributes:
        layout: How many rows are kept how.
        threads: Threads that scan a large exact part together.
        group_rows: Rows that one commit takes of writers that wait together.
        filter_bytes: Memory for results of filters, of each collection.
        background: Whether a thread looks after the indexes; without it `maintain` is to be called.
        pause: Seconds between two rounds of that thread when nothing urgent is due.
        kept_queries: Recent queries of each modality to keep, for calibration.
        fewest_queries: With fewer of a modality, its searches are not calibrated by them.
        live_queries: Queries a round that are searched exactly too, to measure recall.
        checked_items: Items a round that are held against their checksums; in time, all of them.
        judged_queries: So many of them must have been measured before the recall is believed.
    """

    layout: Layout = field(default_factory=Layout)
    threads: int = 2
    group_rows: int = MOST_ROWS
    filter_bytes: int = 64 * 2**20
    background: bool = True
    pause: float = 5.0
    kept_queries: int = 256
    fewest_queries: int = FEWEST_QUERIES
    live_queries: int = 2
    judged_queries: int = 50
    checked_items: int = 200


DEFAULT_TUNING = Tuning()
