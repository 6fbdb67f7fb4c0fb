"""What is told of a model that is served."""

from embedder.base import Embedder
from embedder.catalog import ModelSpec, find
from embedder.errors import ModelNotFound
from embedder.media import Modality
from service.messages import ModelInfo


def describe(embedder: Embedder) -> ModelInfo:
    """Returns what is told about a model: its own facts, and what the catalogue knows of it."""
    spec = _spec_of(embedder)
    return ModelInfo(
        name=embedder.name,
        modalities=tuple(modality for modality in Modality if modality in embedder.modalities),
        dim=embedder.space.dim,
        space=embedder.space.id,
        parameters=embedder.parameters or (spec.parameters if spec else 0),
        licence=spec.licence if spec else "",
        description=spec.description if spec else "",
        runtime=embedder.runtime,
        device=embedder.device,
        limits=embedder.limits,
        non_commercial=spec is not None and spec.non_commercial,
        precision=embedder.precision,
        fidelity=embedder.fidelity,
    )


def _spec_of(embedder: Embedder) -> ModelSpec | None:
    """Returns what the catalogue knows of a model; None where it was made without it."""
    try:
        return find(embedder.name)
    except ModelNotFound:
        return None
