"""What is served and whether it works."""

from collections.abc import Mapping
from dataclasses import dataclass

from embedder.media import Modality


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A served model."""

    name: str
    modalities: tuple[Modality, ...]
    dim: int
    space: str
    parameters: int
    licence: str
    description: str
    runtime: str
    device: str
    limits: Mapping[str, float]
    non_commercial: bool = False
    precision: str = "fp32"
    fidelity: float = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a real forward pass of each modality has succeeded lately, and which has failed."""

    ready: bool
    failed: Mapping[str, str]
