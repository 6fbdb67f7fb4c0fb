"""grpc.health.v1: serving is what the engine's readiness says, at the moment of asking."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.engine import Engine

WATCH_SECONDS = 1.0
"""How often a watched status is looked at; readiness itself is only probed as often as is set."""


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc_health has no types
    """Tells whether the engine is ready, under the name of the server ("") and of each service.

    Args:
        engine: Who is asked.
        services: Full names of the services that stand and fall with it.
    """

    def __init__(self, engine: Engine, services: frozenset[str]) -> None:
        self._engine = engine
        self._services = services | {""}

    async def Check(
        self,
        request: health_pb2.HealthCheckRequest,
        context: Any,  # noqa: ANN401
    ) -> health_pb2.HealthCheckResponse:
        """Answers once; NOT_FOUND for an unknown service."""
        if request.service not in self._services:
            message = f"no service is named {request.service!r}"
            await context.abort(grpc.StatusCode.NOT_FOUND, message)
        status = await self._status(request.service)
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(
        self,
        request: health_pb2.HealthCheckRequest,
        context: Any,  # noqa: ANN401
    ) -> None:
        """Answers at once and then at every change, until the client leaves."""
        last = None
        while True:
            status = await self._status(request.service)
            if status != last:
                await context.write(health_pb2.HealthCheckResponse(status=status))
            last = status
            await asyncio.sleep(WATCH_SECONDS)

    async def _status(self, service: str) -> Any:  # noqa: ANN401 - an enum without a type
        if service not in self._services:
            return health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        if (await self._engine.readiness()).ready:
            return health_pb2.HealthCheckResponse.SERVING
        return health_pb2.HealthCheckResponse.NOT_SERVING
