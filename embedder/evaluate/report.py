"""What is said about a model: figures, and the report that they make."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a report.

    Attributes:
        direction: What asks and what is found, e.g. `text > image`.
        dataset: What it was measured on.
        metric: E.g. `R@10` or `top-1`.
        value: A share in 0..1, or a distance for the shape of the space.
        chance: What a random order reaches; None where the word makes no sense.
        count: How many queries or rows the number rests on.
        ceiling: What the teachers reach in their joint space; None where nobody measured it.
    """

    direction: str
    dataset: str
    metric: str
    value: float
    chance: float | None
    count: int
    ceiling: float | None = None

    @property
    def name(self) -> tuple[str, str, str]:
        """Direction, dataset and metric: a report has each once."""
        return self.direction, self.dataset, self.metric


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one model on one folder, in a fixed order."""

    figures: tuple[Figure, ...]

    def value(self, direction: str, dataset: str, metric: str) -> float:
        """Returns one figure's value.

        Raises:
            KeyError: If the report has no such figure.
        """
        for figure in self.figures:
            if figure.name == (direction, dataset, metric):
                return figure.value
        raise KeyError(f"no figure {metric} of {direction} on {dataset}")

    def below(self, ceiling: "Report") -> "Report":
        """Returns these figures, each with the value that the other report has for it."""
        values = {figure.name: figure.value for figure in ceiling.figures}
        return Report(tuple(replace(f, ceiling=values.get(f.name)) for f in self.figures))

    def plus(self, more: "Report") -> "Report":
        """Returns the figures of both."""
        return Report((*self.figures, *more.figures))
