"""Every method of every service."""

from collections.abc import Mapping
from typing import Any

import grpc

from service.rpc.edge import Edge

Handler = Any
"""grpc.RpcMethodHandler, which has no types."""


class Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Knows methods by name: generated code adds services to it, and the server asks it.

    Added to the server itself each method would be one that grpc.aio awaits by itself, and it goes
    through all that it awaits at every call of any.

    Args:
        edge: Stands around what they do.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._handlers: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Does nothing: generated code names the same methods in another way as well."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Adds the methods of a service."""
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            self._handlers[method] = self._edge.around(handler, method)

    def service(self, handler_call_details: Any) -> Handler:  # noqa: ANN401 - grpc has no types
        """Returns what answers a call, which may be that there is no such method."""
        method = handler_call_details.method
        return self._handlers.get(method) or self._edge.unknown(method)
