"""Where the time of a request went."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimingMs:
    """Where the time of a request went, in milliseconds."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0
    search: float = 0.0
    total: float = 0.0
