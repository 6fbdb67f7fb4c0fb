"""Where gRPC listens, and its limits."""

import logging
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from kindred.v1 import (
    alias_service_pb2,
    alias_service_pb2_grpc,
    collection_service_pb2,
    collection_service_pb2_grpc,
    conditioning_service_pb2,
    conditioning_service_pb2_grpc,
    embedding_service_pb2,
    embedding_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
    snapshot_service_pb2,
    snapshot_service_pb2_grpc,
)
from service.engine import Engine
from service.rpc.aliases import Aliases
from service.rpc.collections import Collections
from service.rpc.conditioning import Conditioning
from service.rpc.edge import Edge
from service.rpc.embeddings import Embeddings
from service.rpc.health import Health
from service.rpc.jobs import Jobs
from service.rpc.methods import Methods
from service.rpc.models import Models
from service.rpc.snapshots import Snapshots
from service.settings import Settings

_SERVICES = frozenset(
    service.full_name
    for module in (
        model_service_pb2,
        embedding_service_pb2,
        collection_service_pb2,
        alias_service_pb2,
        conditioning_service_pb2,
        job_service_pb2,
        snapshot_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)

WINDOW_BYTES = 4 * 1024 * 1024
"""So much of a message comes before it is asked for. Left to itself gRPC lets that grow with the
line, to 32 MiB for each call; with 64 KiB, a client 50 ms away sends a fifth as fast."""


class RpcServer(NamedTuple):
    """A server that is bound and not yet started."""

    server: Any
    """grpc.aio.Server: `await server.start()`, and `await server.stop(grace)` in the end."""
    port: int


def create_server(engine: Engine, settings: Settings) -> RpcServer:
    """Returns a server of the engine, bound to the host and gRPC port of the settings.

    Must be called in a running event loop. The server lives no longer than the engine.

    Raises:
        RuntimeError: If the port is taken.
    """
    logging.getLogger("grpc._cython.cygrpc").addFilter(is_failure)
    methods = Methods(Edge(engine))
    for register, servicer in _servicers(engine):
        register(servicer, methods)
    server = grpc.aio.server(handlers=(methods,), options=_options(settings))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address, credentials = f"{host}:{settings.grpc_port}", _credentials(settings)
    if credentials is None:
        return RpcServer(server, server.add_insecure_port(address))
    return RpcServer(server, server.add_secure_port(address, credentials))


def is_failure(record: logging.LogRecord) -> bool:
    """Tells what gRPC has to log from what it logs of clients that left as they were answered."""
    return not record.getMessage().startswith("ExecuteBatchError raised in core")


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Returns what TLS takes, or None without it."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    authorities = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())],
        root_certificates=authorities,
        require_client_auth=authorities is not None,
    )


def _servicers(engine: Engine) -> tuple[tuple[Callable[[Any, Any], None], object], ...]:
    """Returns each servicer with what registers it."""
    names = (*sorted(_SERVICES), health.SERVICE_NAME, reflection.SERVICE_NAME)
    return (
        (model_service_pb2_grpc.add_ModelServiceServicer_to_server, Models(engine)),
        (embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server, Embeddings(engine)),
        (collection_service_pb2_grpc.add_CollectionServiceServicer_to_server, Collections(engine)),
        (alias_service_pb2_grpc.add_AliasServiceServicer_to_server, Aliases(engine)),
        (
            conditioning_service_pb2_grpc.add_ConditioningServiceServicer_to_server,
            Conditioning(engine),
        ),
        (job_service_pb2_grpc.add_JobServiceServicer_to_server, Jobs(engine)),
        (snapshot_service_pb2_grpc.add_SnapshotServiceServicer_to_server, Snapshots(engine)),
        (health_pb2_grpc.add_HealthServicer_to_server, Health(engine, _SERVICES)),
        (
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server,
            reflection.aio.ReflectionServicer(names),
        ),
    )


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # What is too large is told why, if it is not far too large.
        ("grpc.max_receive_message_length", _whole(2 * settings.max_body_bytes)),
        ("grpc.max_send_message_length", -1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.max_allowed_incoming_connections", _whole(settings.max_connections)),
        ("grpc.max_concurrent_streams", _whole(settings.max_streams)),
        # A call that has been answered counts until it is cleared away: without room for these a
        # client that keeps to the limit is refused.
        ("grpc.http2.max_deallocating_streams", _whole(settings.max_streams)),
        ("grpc.max_connection_idle_ms", _whole(1000 * settings.idle_seconds)),
        # Of who connects and says nothing, or not what TLS or HTTP/2 begins with.
        ("grpc.server_handshake_timeout_ms", _whole(1000 * settings.header_seconds)),
        # A client that vanished without a word is noticed, and its calls given up.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A client may ask as often whether we live, even while it calls nothing.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # Otherwise a second server on the same port would silently take half of the calls.
        ("grpc.so_reuseport", 0),
    ]


def _whole(number: float) -> int:
    """Returns a number as an option takes it."""
    return math.ceil(min(number, 2**31 - 1))
