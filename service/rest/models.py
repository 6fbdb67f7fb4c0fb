"""The models that are served."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from embedder.media import Modality
from service.rest.wire import Answer, JsonRoute, PathText, TheEngine, reply

router = APIRouter(prefix="/v1/models", tags=["models"], route_class=JsonRoute)


class Model(Answer):
    """A served model; `object`, `id`, `created` and `owned_by` are for OpenAI's clients."""

    object: Literal["model"] = "model"
    id: str = Field(validation_alias="name")
    created: int = 0
    owned_by: str = "kindred"
    name: str
    modalities: list[Modality]
    dim: int
    space: str
    parameters: int
    licence: str
    non_commercial: bool
    description: str
    runtime: str
    device: str
    precision: str
    fidelity: float
    limits: dict[str, float]


class Models(Answer):
    """The served models, the default one first."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("", response_model=Models)
async def list_models(engine: TheEngine) -> Response:
    """Lists the served models, the default one first."""
    return reply(Models(data=[Model.model_validate(info) for info in engine.models()]))


@router.get("/{name:path}", response_model=Model)  # names of families hold slashes
async def get_model(name: PathText, engine: TheEngine) -> Response:
    """Gets one model."""
    return reply(Model.model_validate(engine.model(name)))
