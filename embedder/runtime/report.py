"""What a model tells of the runtimes of its towers."""

from collections.abc import Mapping
from dataclasses import dataclass

from embedder.media import Modality
from embedder.runtime.base import Runtime


@dataclass(frozen=True, slots=True)
class Report:
    """Several towers' runtimes as one.

    Attributes:
        runtime: What runs the towers; each by name where they differ.
        device: What they run on.
        precision: What they compute in.
        fidelity: Least cosine of their vectors to those of torch in float32.
    """

    runtime: str
    device: str
    precision: str
    fidelity: float

    @classmethod
    def of(cls, towers: Mapping[Modality, Runtime]) -> "Report":
        """Reports on the towers of a model."""
        runtimes = towers.values()
        names = dict.fromkeys(each.name for each in runtimes)
        each = [f"{modality}: {runtime.name}" for modality, runtime in towers.items()]
        return cls(
            runtime=", ".join(each if len(names) > 1 else names),
            device=", ".join(dict.fromkeys(each.device for each in runtimes)),
            precision=", ".join(dict.fromkeys(each.precision for each in runtimes)),
            fidelity=min(each.fidelity for each in runtimes),
        )
