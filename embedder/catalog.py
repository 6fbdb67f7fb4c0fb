"""The models that can be named: data first, and a door that loads them.

Importing this module costs nothing; torch and friends are imported by `load`.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedder.base import Embedder
from embedder.errors import ModelNotFound
from embedder.media import Modality
from embedder.runtime.base import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What is known of a model before it is loaded.

    Attributes:
        name: How it is asked for.
        description: One sentence.
        modalities: What it embeds.
        dim: Length of its vectors.
        parameters: Weights of all towers together.
        licence: SPDX identifier of the weights' licence.
        weights: Where the weights come from.
        loader: Loads it, given where and how it is to run.
    """

    name: str
    description: str
    modalities: tuple[Modality, ...]
    dim: int
    parameters: int
    licence: str
    weights: str
    loader: Callable[[Placement], Embedder]


def _load_mini(how: Placement) -> Embedder:
    from embedder.models.mini import KindredMini

    return KindredMini.load(how=how)


CATALOGUE: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="kindred-mini",
        description="Small model for words, pictures and sounds that ships with Kindred.",
        modalities=(Modality.TEXT, Modality.IMAGE, Modality.AUDIO),
        dim=384,
        parameters=13_865_652,
        licence="Apache-2.0",
        weights="bundled",
        loader=_load_mini,
    ),
)

DEFAULT_MODEL = CATALOGUE[0].name


def names() -> tuple[str, ...]:
    """Returns the names of all models, the default one first."""
    return tuple(spec.name for spec in CATALOGUE)


def find(name: str) -> ModelSpec:
    """Returns what is known of a model, without loading it.

    Raises:
        ModelNotFound: If no model has this name; the message suggests the nearest.
    """
    for spec in CATALOGUE:
        if spec.name == name:
            return spec
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names())}"
    raise ModelNotFound(f"a model must be in the catalogue, got {name!r}; {hint}")


def load(
    name: str = DEFAULT_MODEL,
    *,
    device: str = "cpu",
    threads: int | None = None,
    runtime: str | None = None,
    cache: Path | None = None,
) -> Embedder:
    """Loads a model.

    Args:
        name: A name of the catalogue.
        device: Where its towers run, e.g. "cpu" or "cuda".
        threads: Threads of one forward pass on the CPU; None leaves the runtime's own choice.
        runtime: "torch" or "openvino"; None picks the faster one that is installed.
        cache: Folder for what is derived from the weights, so that the next load is fast; None
            keeps nothing.

    Raises:
        ModelNotFound: If no model has this name.
        WeightsError: If its weights are missing, damaged or of another architecture.
        MissingDependency: If the stated runtime is not installed or can't use the device.
    """
    how = Placement(device=device, threads=threads, runtime=runtime, cache=cache)
    return find(name).loader(how)
