"""The models that can be named: data first, and a door that loads them.

Some names are words of the catalogue; others begin with the word of a family and say the rest:

    kindred-mini                        bundled
    open_clip:ARCHITECTURE/WEIGHTS      any model of open_clip, see `embedder.models.clip_names`
    imagebind:FILE                      Meta's imagebind_huge.pth
    bound:FILE                          a model that `kindred bind` taught to hear

Importing this module costs nothing; torch and friends are imported by `load`.
"""

import difflib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedder.base import Embedder
from embedder.errors import ModelNotFound
from embedder.media import Modality
from embedder.runtime.base import AUTOMATIC, Placement

log = logging.getLogger(__name__)

_NON_COMMERCIAL = ("-NC", "Apple-AMLR")
"""What names of licences hold that forbid commercial use; Apple's is for research only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What is known of a model before it is loaded.

    Attributes:
        name: How it is asked for.
        description: One sentence.
        modalities: What it embeds.
        dim: Length of its vectors; 0 where only the weights know.
        parameters: Weights of all towers together; 0 where only the weights know.
        licence: SPDX identifier of the weights' licence, or "unknown".
        weights: Where the weights come from.
        loader: Loads it, given where and how it is to run.
        is_here: Says, without a network, whether its weights are on this machine.
        bytes: About how large its weights are; 0 where only their place knows.
    """

    name: str
    description: str
    modalities: tuple[Modality, ...]
    dim: int
    parameters: int
    licence: str
    weights: str
    loader: Callable[[Placement], Embedder]
    is_here: Callable[[], bool]
    bytes: int = 0

    @property
    def non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return any(mark in self.licence for mark in _NON_COMMERCIAL)


@dataclass(frozen=True, slots=True)
class Family:
    """Models of one kind whose names say which weights are meant.

    Attributes:
        pattern: What their names look like, for people.
        description: One sentence.
        find: Returns what is known of the model of a name.
        names: Lists the names that need no file of one's own; it may import the family's library.
    """

    pattern: str
    description: str
    find: Callable[[str], ModelSpec]
    names: Callable[[], Iterable[str]] = tuple


def _load_mini(how: Placement) -> Embedder:
    from embedder.models.mini import KindredMini

    return KindredMini.load(how=how)


def _open_clip(name: str) -> ModelSpec:
    from embedder.models.clip_names import ClipName

    asked = ClipName.parse(name)

    def load(how: Placement) -> Embedder:
        from embedder.models.clip import ClipModel

        return ClipModel.load(name, how)

    def is_here() -> bool:
        from embedder.models.clip_zoo import is_here

        return is_here(asked)

    return ModelSpec(
        name=name,
        description=f"{asked.architecture} of open_clip.",
        modalities=(Modality.TEXT, Modality.IMAGE),
        dim=asked.dim,
        parameters=asked.parameters,
        licence=asked.licence,
        weights=asked.weights or asked.architecture,
        loader=load,
        is_here=is_here,
        bytes=asked.bytes,
    )


def _open_clip_names() -> Iterable[str]:
    from embedder.models.clip_zoo import clip_models

    return clip_models()


def _imagebind(name: str) -> ModelSpec:
    path = Path(name.partition(":")[2])

    def load(how: Placement) -> Embedder:
        from embedder.models.imagebind.model import ImageBind

        return ImageBind.load(path, how)

    return ModelSpec(
        name=name,
        description="Meta's ImageBind: words, pictures and sounds; other senses as tensors.",
        modalities=(Modality.TEXT, Modality.IMAGE, Modality.AUDIO),
        dim=1024,
        parameters=1_200_781_057,
        licence="CC-BY-NC-SA-4.0",
        weights=str(path),
        loader=load,
        is_here=path.is_file,
        bytes=4_803_000_000,
    )


def _bound(name: str) -> ModelSpec:
    from embedder.models.bound import BoundFile

    file = BoundFile.read(Path(name.partition(":")[2]))
    base = find(file.base)

    def load(how: Placement) -> Embedder:
        from embedder.models.bound import BoundModel

        return BoundModel(base.loader(how), file, how)

    return ModelSpec(
        name=name,
        description=f"{file.base}, taught to hear.",
        modalities=(*base.modalities, Modality.AUDIO),
        dim=file.dim,
        parameters=0,
        licence=base.licence,
        weights=str(file.path),
        loader=load,
        is_here=base.is_here,
        bytes=base.bytes,
    )


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
        is_here=lambda: True,
    ),
)

DEFAULT_MODEL = CATALOGUE[0].name

FAMILIES: Mapping[str, Family] = {
    "open_clip": Family(
        "open_clip:ARCHITECTURE/WEIGHTS",
        "Any open_clip model of words and pictures: a tag or a checkpoint file, hf-hub:ORG/REPO, "
        "or local-dir:FOLDER.",
        _open_clip,
        _open_clip_names,
    ),
    "imagebind": Family(
        "imagebind:FILE", "Meta's imagebind_huge.pth; not for commercial use.", _imagebind
    ),
    "bound": Family("bound:FILE", "A model that `kindred bind` has taught to hear.", _bound),
}
"""By the word before the colon."""


def names() -> tuple[str, ...]:
    """Returns the names of all models, the default one first."""
    return tuple(spec.name for spec in CATALOGUE)


def find(name: str) -> ModelSpec:
    """Returns what is known of a model, without loading it.

    Raises:
        ModelNotFound: If no model has this name; the message suggests the nearest.
        WeightsError: If the name is of a file that says what it is, and can't be read.
    """
    for spec in CATALOGUE:
        if spec.name == name:
            return spec
    kind, colon, _ = name.partition(":")
    if colon and kind in FAMILIES:
        return FAMILIES[kind].find(name)
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.4)
    patterns = (*names(), *(family.pattern for family in FAMILIES.values()))
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(patterns)}"
    raise ModelNotFound(f"a model must be in the catalogue, got {name!r}; {hint}")


def load(name: str = DEFAULT_MODEL, how: Placement = AUTOMATIC) -> Embedder:
    """Loads a model.

    Args:
        name: A name of the catalogue, or one of a family.
        how: Where and how its towers run.

    Raises:
        ModelNotFound: If no model has this name.
        WeightsError: If its weights are missing, damaged or of another architecture.
        MissingDependency: If the stated runtime is not installed, or can't use the device or
            compute in the stated precision.
    """
    spec = find(name)
    if spec.non_commercial:
        log.warning("the weights of %s are licensed %s: no commercial use", name, spec.licence)
    embedder = spec.loader(how)
    embedder.name = name
    return embedder
