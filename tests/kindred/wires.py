"""One way to ask, whatever the client and the wire; and answers in a form that can be compared."""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from kindred import AsyncClient, Client, KindredError, TimingMs
from service.serve import Addresses

Ask = Callable[..., Any]
"""Takes the name of a client's method and its arguments, and returns its answer or its error."""


def asks(addresses: Addresses) -> dict[str, Ask]:
    """Returns every client over every wire."""
    return {
        "Client, gRPC": _blocking(addresses.grpc),
        "Client, REST": _blocking(addresses.http),
        "AsyncClient, gRPC": _awaited(addresses.grpc),
        "AsyncClient, REST": _awaited(addresses.http),
    }


def _blocking(address: str) -> Ask:
    def ask(method: str, *args: object, **options: object) -> object:
        with Client(address) as client:
            try:
                answer = getattr(client, method)(*args, **options)
                return gathered(list(answer)) if inspect.isgenerator(answer) else answer
            except KindredError as error:
                return error

    return ask


def _awaited(address: str) -> Ask:
    async def asked(method: str, *args: object, **options: object) -> object:
        async with AsyncClient(address) as client:
            try:
                answer = getattr(client, method)(*args, **options)
                if inspect.isasyncgen(answer):
                    return gathered([each async for each in answer])
                return await answer
            except KindredError as error:
                return error

    def ask(method: str, *args: object, **options: object) -> object:
        return asyncio.run(asked(method, *args, **options))

    return ask


def gathered(yielded: list[Any]) -> object:
    """Returns what a method yielded; how a file is cut into pieces is the wire's own affair."""
    return b"".join(yielded) if yielded and isinstance(yielded[0], bytes) else yielded


def comparable(answer: object) -> object:
    """Returns the answer without its timing and with vectors as bytes, equal only to the bit."""
    match answer:
        case KindredError():
            return type(answer), answer.code, answer.reason, answer.details
        case TimingMs():
            return "some time" if answer.total > 0 else "no time"
        case np.ndarray():
            return answer.dtype, answer.shape, answer.tobytes()
        case list() | tuple():
            return [comparable(each) for each in answer]
        case _ if is_dataclass(answer):
            return {each.name: comparable(getattr(answer, each.name)) for each in fields(answer)}
        case _:
            return answer
