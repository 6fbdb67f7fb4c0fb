"""Puts the application together."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service.engine import Engine
from service.rest import (
    collections,
    conditioning,
    embeddings,
    items,
    jobs,
    models,
    operations,
    pages,
    rank,
    scores,
    search,
    snapshots,
)
from service.rest.edge import Edge
from service.rest.failures import ErrorBody, handle_failures

DESCRIPTION = "One embedding space for pictures, words and sounds."


def create_app(engine: Engine) -> FastAPI:
    """Returns the HTTP application of an engine, which must be running when requests come."""
    app = FastAPI(
        title="Kindred",
        description=DESCRIPTION,
        version=version("kindred"),
        docs_url=None,  # its page loads scripts from elsewhere; ours is in `pages`
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "What went wrong."}},
        separate_input_output_schemas=False,
    )
    app.state.engine = engine
    resources = (
        models,
        embeddings,
        rank,
        collections,
        items,
        search,
        snapshots,
        conditioning,
        scores,
        jobs,
    )
    for module in (*resources, operations, pages):
        app.include_router(module.router)
    handle_failures(app)
    settings = engine.settings
    app.add_middleware(Edge, settings=settings, guard=engine.guard, telemetry=engine.telemetry)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after"],
        )
    return app
