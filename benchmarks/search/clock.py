"""The time that a run may take, so that it ends, whatever is measured."""

import math
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clock:
    """Runs from when it is made.

    Attributes:
        minutes: That everything may take.
        began: By the monotonic clock.
    """

    minutes: float = math.inf
    began: float = field(default_factory=time.monotonic)

    def gone(self) -> float:
        """Returns the seconds since it began."""
        return time.monotonic() - self.began

    def left(self, share: float = 1.0) -> float:
        """Returns the seconds until this share of the time is over, negative after that."""
        return 60 * self.minutes * share - self.gone()
