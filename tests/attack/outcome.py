"""What an attack counted, and what it broke."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """The result of one attack.

    Attributes:
        counts: What happened how often.
        broken: What must not happen, and did; none is a success.
    """

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def note(self, what: str, times: int = 1) -> None:
        """Counts something that may happen."""
        self.counts[what] += times

    def expect(self, holds: bool, otherwise: str) -> None:
        """Notes what is broken unless it holds; the same thing once."""
        if not holds and otherwise not in self.broken:
            self.broken.append(otherwise)

    def told(self) -> str:
        """Returns the counts in one line, the most frequent first."""
        return ", ".join(f"{count:,} {what}" for what, count in self.counts.most_common())
