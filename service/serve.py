"""Both transports over one engine in one process, from the start to a clean end."""

import asyncio
import gc
import logging
import resource
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import uvicorn
import uvloop

from service.engine import Engine
from service.rest.app import create_app
from service.rest.connections import patient
from service.rpc.server import create_server
from service.settings import Settings
from service.telemetry import VERSION, configure_logging

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long requests that have begun may go on after the server was told to stop."""


SWITCH_SECONDS = 0.0002
"""How long one thread may keep Python from the others: the usual 5 ms is longer than a search
takes, which would wait for each write beside it."""


COLLECT_OBJECTS = 10_000
"""Python looks for cycles each time that so many objects are new: more than the requests of a
moment hold, which would otherwise be looked through again and again."""


class Addresses(NamedTuple):
    """Where a server listens."""

    http: str
    grpc: str


class _Server(uvicorn.Server):
    """Leaves signals alone: two transports stop together, and `serve` tells them when."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(engine: Engine) -> AsyncIterator[Addresses]:
    """Listens with both transports where the engine's settings say; leaving drains both.

    Raises:
        OSError: If a port is taken, or the files of TLS can't be used.
    """
    settings = engine.settings
    config = _config(engine)
    _require_ours(settings)
    with _binding(settings, "grpc_port"):
        _listener(settings, settings.grpc_port).close()  # gRPC would not say why it can't
        rpc = create_server(engine, within_files(settings))
    with _binding(settings, "port"):
        listener = _listener(settings, settings.port)
    with listener as bound:
        # asyncio sets this only on sockets that it made; without it answers wait 40 ms for an ACK.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        http = _Server(config)
        await rpc.server.start()
        serving = asyncio.create_task(http.serve(sockets=[bound]))
        try:
            async with engine.jobs:  # left first: who watches a job is told that it is left
                yield Addresses(
                    f"{'https' if settings.tls_certificate else 'http'}://{_shown(settings.host)}:{bound.getsockname()[1]}",
                    f"{_shown(settings.host)}:{rpc.port}",
                )
        finally:
            http.should_exit = True
            await asyncio.gather(serving, rpc.server.stop(GRACE_SECONDS))


def _require_ours(settings: Settings) -> None:
    """Makes sure that there can be listened on the host at all.

    Raises:
        OSError: If it is no address of this machine.
    """
    try:
        _listener(settings, 0).close()
    except OSError as error:
        raise OSError(
            f"host must be an address of this machine, got {settings.host!r}: {error.strerror}"
        ) from error


@contextmanager
def _binding(settings: Settings, name: str) -> Iterator[None]:
    """Says which port can't be listened on, and what helps."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # the latter is gRPC's
        reason = getattr(error, "strerror", None) or str(error)
        raise OSError(
            f"{name} {getattr(settings, name)} of {settings.host} cannot be listened on: "
            f"{reason.partition(' (')[0].partition(';')[0]}. If another server uses it, or it is "
            "below 1024 and so the system's, name another port, or 0 for any that is free"
        ) from error


def _listener(settings: Settings, port: int) -> socket.socket:
    return socket.create_server((settings.host, port), family=_family(settings))


def _config(engine: Engine) -> uvicorn.Config:
    """Returns how REST is served.

    Raises:
        OSError: If the files of TLS can't be used.
    """
    settings = engine.settings
    config = uvicorn.Config(
        create_app(engine),
        http="httptools",
        ws="none",  # there is nothing to be asked that way, and no key would be
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections,
        proxy_headers=False,  # nobody is believed about who asks
        lifespan="off",
        timeout_graceful_shutdown=int(GRACE_SECONDS),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_ca_certs=str(settings.tls_client_ca) if settings.tls_client_ca else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.tls_client_ca else ssl.CERT_NONE,
    )
    try:
        config.load()
    except ssl.SSLError as error:
        raise OSError(
            f"tls_certificate, tls_key and tls_client_ca must be PEM files that fit: {error}"
        ) from error
    config.http_protocol_class = patient(config.http_protocol_class, settings)
    return config


async def serve(
    settings: Settings,
    announce: Callable[[Addresses], None] = lambda _: None,
    make_engine: Callable[[Settings], Engine] = Engine,
) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what has begun; a second one ends it at once.

    Args:
        settings: What to serve, and where.
        announce: Called when both transports listen.
        make_engine: Makes the engine; tests hand in one of a small model.

    Raises:
        SettingsError: If strangers could reach it, and nobody has to show a key.
        ModelNotFound: If a model is not in the catalogue.
        StorageError: If the data folder cannot be used.
        OSError: If a port is taken, or the files of TLS can't be used.
    """
    configure_logging(settings.log_level)
    _allow_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    with _stop_signal() as stop:
        made = make_engine(settings)
        made.guard.require_safe()
        async with made as engine, listening(engine) as addresses:
            _shorten_pauses()
            log.info("kindred %s listens on %s and gRPC %s", VERSION, *addresses)
            announce(addresses)
            await stop.wait()
            log.info("stopping")
            engine.leave()
            await asyncio.sleep(settings.drain_seconds)


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Runs `serve` on uvloop, which takes less of the processor than asyncio's own loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving)


def _shorten_pauses() -> None:
    """Sets apart what is there from the start.

    To look for cycles in it takes 90 ms, in which nobody is answered, every 2 s under load.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_OBJECTS, *gc.get_threshold()[1:])


def _allow_files() -> None:
    """Allows as many open files as this process may have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def within_files(settings: Settings) -> Settings:
    """Returns settings with no more connections than a quarter of the files that may be open.

    For gRPC, which knows nothing of files; REST looks at each connection how many there are.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(1, most // 4)
    if most == resource.RLIM_INFINITY or settings.max_connections <= room:
        return settings
    log.warning(
        "this process may have %d open files (ulimit -Hn): over gRPC max_connections is %d, not %d",
        *(most, room, settings.max_connections),
    )
    return settings.model_copy(update={"max_connections": room})


@contextmanager
def _stop_signal() -> Iterator[asyncio.Event]:
    """Yields what SIGTERM and SIGINT set the first time, instead of ending the process."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def heed(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("told to stop twice: what has begun is not finished")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, heed, number)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _family(settings: Settings) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in settings.host else socket.AF_INET


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
