"""Puts the application together."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from service.engine import Engine
from service.rest import (
    aliases,
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
from service.rest.document import Api
from service.rest.edge import Edge
from service.rest.failures import ErrorBody, handle_failures
from service.rest.shortcut import Shortcut
from service.telemetry import VERSION

DESCRIPTION = "One embedding space for pictures, words and sounds."


_RESOURCES = (
    models,
    embeddings,
    rank,
    collections,
    aliases,
    items,
    search,
    snapshots,
    conditioning,
    scores,
    jobs,
    operations,
    pages,
)


def create_app(engine: Engine) -> ASGIApp:
    """Returns the HTTP application of an engine, which must be running when requests come."""
    routes = [route for module in _RESOURCES for route in module.router.routes]
    answering = Shortcut(create_api(engine), engine, routes)
    app = Edge(answering, engine)
    if not engine.settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=engine.settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["x-request-id", "retry-after"],
    )


def create_api(engine: Engine) -> FastAPI:
    """Returns the routes alone, and their document."""
    api = Api(
        title="Kindred",
        description=DESCRIPTION,
        version=VERSION,
        docs_url=None,  # its page loads scripts from elsewhere; ours is in `pages`
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "What went wrong."}},
        separate_input_output_schemas=False,
    )
    api.state.engine = engine
    for module in _RESOURCES:
        api.include_router(module.router)
    handle_failures(api)
    return api
