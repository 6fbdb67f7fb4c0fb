"""Sets a report beside what the teachers of a run reach in their joint space."""

from collections.abc import Sequence
from pathlib import Path

from embedder.base import Embedder
from embedder.evaluate import judge
from embedder.evaluate.rebind import rebind, students_ears, teachers_ears
from embedder.evaluate.report import Report
from embedder.evaluate.source import EmbedderVectors
from embedder.models.mini import WEIGHTS
from embedder.training.ceiling import TeacherVectors
from embedder.training.kept import Kept


def beside_teachers(report: Report, kept: Kept, names: Sequence[str] | None) -> Report:
    """Returns the report with the teachers' own value as each figure's ceiling.

    Args:
        report: Of a model, on the data of the run.
        kept: The run.
        names: The larger list of class names that the report was made with.
    """
    return report.below(judge(_taught(kept), kept.shop.data, names=names))


def rebound(embedder: Embedder, kept: Kept, weights: Path = WEIGHTS) -> Report:
    """Returns the figures of `rebind` for the bundled model, the sound teacher's as the ceiling.

    Args:
        embedder: kindred-mini: its texts are asked for.
        kept: The run.
        weights: Where its audio tower's body is.
    """
    student = rebind(kept, students_ears(kept, weights, EmbedderVectors(embedder)))
    return student.below(rebind(kept, teachers_ears(kept, _taught(kept))))


def _taught(kept: Kept) -> TeacherVectors:
    return TeacherVectors(kept.space, kept.outputs)
