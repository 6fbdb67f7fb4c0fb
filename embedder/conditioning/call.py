"""The call that a generator is driven by, told so that a reader can paste it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from embedder.conditioning.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a pipeline is called with the tensors.

    Attributes:
        library: What the class is imported from; empty where nothing is called.
        class_name: The pipeline.
        arguments: Names of tensors, by keyword of the call; a tuple where the call takes a list.
        options: Other keywords and their values, e.g. `noise_level`.
        needs: What else the call wants, each a phrase.
        snippet: Python that reads the tensors from `out.safetensors` and makes a picture.
    """

    library: str
    class_name: str
    arguments: Mapping[str, str | tuple[str, ...]]
    options: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    snippet: str = ""


def call_of(profile: Profile, names: tuple[str, ...], options: Mapping[str, int]) -> Call:
    """Returns the call of a target.

    Args:
        profile: The target.
        names: Of the tensors that there are; without guidance, a target takes fewer.
        options: Other keywords and their values.
    """
    raise NotImplementedError
