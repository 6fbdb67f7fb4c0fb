"""Ends the work on a request for which nobody waits any more."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import DeadlineExceeded

SOON_SECONDS = 0.25
"""What is answered as soon as this ends by itself: looking whether its client stays takes as long
as a small model's answer."""


class ClientGone(Exception):
    """The client closed the connection before its answer began."""


async def answer_in_time(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, seconds: float | None
) -> None:
    """Answers a request, unless its time is up or its client gone before the answer begins.

    Args:
        app: What answers.
        scope: The request.
        receive: Brings its body.
        send: Takes the answer.
        seconds: What it may take; None means any time.

    Raises:
        DeadlineExceeded: If its time is up.
        ClientGone: If its client is.
    """
    patience = asyncio.timeout(seconds)
    watch = _Watch(receive, patience)

    async def send_begun(message: Message) -> None:
        if patience.expired():  # what streams has tasks of its own, which are told a moment later
            await asyncio.Future()
        watch.give_time()
        await send(message)

    try:
        async with patience:
            await app(scope, watch.receive, send_begun)
    except TimeoutError as error:
        if not patience.expired():
            raise
        if watch.is_gone:
            raise ClientGone from error
        raise DeadlineExceeded(f"not answered within {seconds:g} s; dropped") from error
    finally:
        watch.end()


class _Watch:
    """Looks whether the client stays, from the end of its body to the beginning of its answer."""

    def __init__(self, receive: Receive, patience: asyncio.Timeout) -> None:
        self.is_gone = False
        self._receive = receive
        self._patience = patience
        self._due: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if self._due or self._is_over:
            return message
        if message["type"] == "http.disconnect":
            self._leave()
            await asyncio.Future()  # which the patience, being over, ends
        if not message.get("more_body"):
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(SOON_SECONDS, self._begin, loop)
        return message

    def give_time(self) -> None:
        """Lets an answer that has begun take its time."""
        if not self._is_over:
            self._patience.reschedule(None)
        self.end()

    def end(self) -> None:
        """Looks no longer."""
        self._is_over = True
        for each in (self._due, self._task):
            if each:
                each.cancel()
        # A cancelled task knows where, and so this: only a search for rings would free the two.
        self._due = self._task = None

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._look())

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.is_gone = True
        self._patience.reschedule(asyncio.get_running_loop().time())
