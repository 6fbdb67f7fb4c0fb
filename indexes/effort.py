"""How hard an approximate segment searches: chosen by measuring it against exact search."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a segment is looked at.

    Attributes:
        nprobe: Lists whose codes are compared.
        shortlist: Rows with the best codes, whose vectors are compared.
        recall: Share of the true ten nearest that was found so in calibration; None if this is a
            guess, made before any.
        queries: How many queries calibration used.
        target: The recall it was to reach.
    """

    nprobe: int
    shortlist: int
    recall: float | None = None
    queries: int = 0
    target: float | None = None
