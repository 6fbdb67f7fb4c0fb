"""Every number of the generator's recipe."""

from dataclasses import dataclass, field
from pathlib import Path

from embedder.conditioning.generator.shape import GeneratorShape
from embedder.training.loop import LoopRecipe


@dataclass(frozen=True, slots=True)
class GeneratorStage:
    """One size of pictures; a stage goes on with the averaged weights of the one before.

    Attributes:
        loop: Steps, rates and seed.
        size: Side of the pictures in pixels.
        batch: Pictures a step.
        time: Mean and deviation of the normal number whose logistic is a picture's time. Widely
            spread, as long waves are settled early and short ones late.
    """

    loop: LoopRecipe
    size: int
    batch: int
    time: tuple[float, float]

    def folder(self, run: Path) -> Path:
        """Returns where the stage keeps its checkpoint and log in the folder of a run."""
        return run / f"{self.size}px"


SMALL = GeneratorStage(
    LoopRecipe(steps=12_000, learning_rate=1e-3, warmup=200, final_share=1.0, seed=60),
    size=32,
    batch=32,
    time=(-0.8, 1.4),
)
WHOLE = GeneratorStage(
    LoopRecipe(steps=60_000, learning_rate=7e-4, warmup=200, final_share=1.0, seed=61),
    size=64,
    batch=32,
    time=(-1.0, 1.4),
)


@dataclass(frozen=True, slots=True)
class GeneratorRecipe:
    """The generator: sizes, what it is told, and the stages of its training.

    Attributes:
        shape: Sizes of the network.
        stages: Small pictures first: they are four times as cheap and teach what goes where.
        balance: A data set is drawn from in proportion to its number of pictures to this power.
        dropout: Share of pictures whose vector is kept from the network, for guidance.
        noise: Largest L2 norm of the Gaussian noise on a unit vector.
        exact: Share of pictures whose vector bears no noise.
        parts: Threads on a CPU, each with its part of a batch.
        sample: Pictures that the deviations of waves are measured on.
        seed: Draws pictures, noise and times.
    """

    shape: GeneratorShape = field(default_factory=GeneratorShape)
    stages: tuple[GeneratorStage, ...] = (SMALL, WHOLE)
    balance: float = 0.5
    dropout: float = 0.15
    noise: float = 0.8
    exact: float = 0.3
    parts: int = 2
    sample: int = 8_192
    seed: int = 60
