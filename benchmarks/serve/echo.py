"""The least that a server in Python can be: it reads a request and answers, over both transports.

It has the same libraries as Kindred's own, and an answer as long; what a service takes beyond it is
its own.
"""

import asyncio
import socket
import sys

import grpc
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

ANSWER = b'{"data":"%b"}' % (b"A" * 2400)
"""As long as that to a text, whose vector of 384 numbers is in base64."""

_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


async def _answer(request: bytes, context: object) -> bytes:
    return ANSWER


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    _handler = grpc.unary_unary_rpc_method_handler(_answer)

    def service(self, handler_call_details: object) -> object:
        return self._handler


async def serve() -> None:
    """Serves until SIGTERM; prints its addresses as `server` does."""
    rpc = grpc.aio.server()
    rpc.add_generic_rpc_handlers((_Methods(),))
    port = rpc.add_insecure_port("127.0.0.1:0")
    await rpc.start()
    http = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        sys.stdout.write(f"{url} grpc://127.0.0.1:{port}\n")
        sys.stdout.flush()
        await http.serve(sockets=[bound])
    await rpc.stop(None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
