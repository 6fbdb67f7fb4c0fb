"""For who operates the service: alive, ready, metrics."""

from fastapi import APIRouter, Response

from service.rest.wire import Answer, TheEngine, reply
from service.telemetry import VERSION

router = APIRouter(tags=["operations"])


class Health(Answer):
    """Alive, and of which version."""

    status: str = "ok"
    version: str = VERSION


class Readiness(Answer):
    """Ready, or what fails: by model and modality, the reason."""

    ready: bool
    failed: dict[str, str]


@router.get("/healthz", response_model=Health)
async def alive() -> Response:
    """Tells that the process answers; whether it can work, `/readyz` tells."""
    return reply(Health())


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def ready(engine: TheEngine) -> Response:
    """Tells whether every model has lately embedded a probe of each of its modalities."""
    found = await engine.readiness()
    return reply(Readiness.model_validate(found), status=200 if found.ready else 503)


@router.get("/metrics", response_class=Response)
async def metrics(engine: TheEngine) -> Response:
    """Tells every metric in the text format of Prometheus."""
    return Response(engine.telemetry.exposition(), media_type="text/plain; version=0.0.4")
