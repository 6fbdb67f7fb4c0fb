"""The generator's file: float16 tensors under the network's own names, and what they are."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from embedder.conditioning.fitted_file import Kind, Tensors, read_fitted, write_fitted
from embedder.conditioning.generator.shape import GeneratorShape
from embedder.errors import WeightsError

NAME = "kindred-demo"
WEIGHTS = Path(__file__).parents[2] / "weights" / f"{NAME}.safetensors"
"""Where the generator is when it ships with Kindred."""

_KIND = Kind("generator")


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorFile:
    """A generator, without torch.

    Attributes:
        shape: Sizes of the network.
        space: Id of the space whose vectors it was trained on.
        recipe: SHA-256 of the recipe's numbers.
        steps: Optimiser steps that it was trained for, all stages together.
        tensors: The averaged network's tensors, by name.
        digest: SHA-256 of the tensors as a file keeps them; empty before there is a file.
    """

    shape: GeneratorShape
    space: str
    recipe: str
    steps: int
    tensors: Tensors
    digest: str = ""

    def save(self, path: Path) -> Path:
        """Writes the file in half precision, whole or not at all."""
        halves = {name: tensor.astype(np.float16) for name, tensor in self.tensors.items()}
        config = {"shape": asdict(self.shape), "recipe": self.recipe, "steps": self.steps}
        write_fitted(path, _KIND, self.space, halves, config)
        return path

    @classmethod
    def read(cls, path: Path = WEIGHTS, space: str | None = None) -> "GeneratorFile":
        """Reads and checks a file.

        Args:
            path: The file.
            space: Id of the space that it must have been trained on vectors of; None takes any.

        Raises:
            WeightsError: If it is missing, damaged or of another layout.
            FittedElsewhere: If it was trained on vectors of another space.
        """
        if not path.is_file():
            raise WeightsError(
                f"the generator's weights must be a file, and {path} is not there; "
                f"`kindred train --generator --data DIR --out DIR` makes it"
            )
        found = read_fitted(path, _KIND, space)
        try:
            return cls(
                shape=GeneratorShape(**found.config["shape"]),
                space=str(found.config["space"]),
                recipe=str(found.config["recipe"]),
                steps=int(found.config["steps"]),
                tensors=found.tensors,
                digest=str(found.config["digest"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise WeightsError(f"{path} must hold every field of the header, got {exc!r}") from exc
