"""The file of a space's bridges: `kindred-mini.bridges.safetensors` beside the weights."""

from pathlib import Path

from embedder.base import EmbeddingSpace
from embedder.conditioning.bridge import Bridges

BUNDLED = Path(__file__).parent.parent / "weights" / "kindred-mini.bridges.safetensors"


def load_bridges(space: EmbeddingSpace, path: Path = BUNDLED) -> Bridges:
    """Reads the bridges that were fitted in a space.

    Raises:
        WeightsError: If the file is missing or damaged.
        FittedElsewhere: If they were fitted in another space.
    """
    raise NotImplementedError


def find_bridges(space: EmbeddingSpace, path: Path = BUNDLED) -> Bridges:
    """Returns the bridges that ship for a space, or bridges without anything fitted."""
    raise NotImplementedError
