"""Calls of every method with messages that nobody meant: each has an answer or a reason of its own.

More of them: KINDRED_FUZZ=2000 python -m pytest tests/service/test_rpc_fuzz.py
"""

import asyncio
import math
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from kindred.v1 import (
    alias_service_pb2,
    collection_service_pb2,
    conditioning_service_pb2,
    embedding_service_pb2,
    job_service_pb2,
    model_service_pb2,
    snapshot_service_pb2,
)
from service.messages import ItemInput, NewCollection, TextContent
from tests.samples import audio_bytes, image_bytes, picture, tone
from tests.service.rpc_server import engine_in, serving

pytestmark = pytest.mark.anyio

CALLS = int(os.environ.get("KINDRED_FUZZ", "25"))
"""Of each method."""

SECONDS = 30.0
"""Longer than any answer takes, even on a busy machine."""

MODULES = (
    alias_service_pb2,
    collection_service_pb2,
    conditioning_service_pb2,
    embedding_service_pb2,
    job_service_pb2,
    model_service_pb2,
    snapshot_service_pb2,
)
METHODS = [
    method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
TEXTS = (
    *("", "album", "fake", "a", "red", "year", "modality", "kindred-raw", "album.snapshot"),
    *("$gte", "\x00", "../../etc/passwd", "'; DROP TABLE item; --", "ü" * 300, "x" * 20_000),
)
NUMBERS = (0, 1, -1, 2, 7, 255, 2**31 - 1, -(2**31))
REALS = (0.0, -0.0, 1.0, -1.5, 0.97, math.nan, math.inf, -math.inf, 1e308, 5e-324)
FILES = (b"", b"\x00" * 50, image_bytes(picture("red")), audio_bytes(tone()))
DEEPEST = 6


def message_of(descriptor: Any, dice: random.Random, depth: int = 0) -> Message:  # noqa: ANN401
    """Returns a message with fields that were thrown dice for."""
    made = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if dice.random() < 0.35 or depth > DEEPEST:
            continue
        fill(made, field, dice, depth)
    return made


def fill(made: Message, field: FieldDescriptor, dice: random.Random, depth: int) -> None:
    """Sets a field, or adds to it if it is a list."""
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return
    count = dice.choice((1, 1, 2, 5)) if field.is_repeated else 1
    for _ in range(count):
        value = value_of(field, dice, depth)
        if entry is not None and field.is_repeated:
            getattr(made, field.name).append(value)
        elif entry is not None:
            getattr(made, field.name).CopyFrom(value)
        elif field.is_repeated:
            getattr(made, field.name).append(value)
        else:
            setattr(made, field.name, value)


def value_of(field: FieldDescriptor, dice: random.Random, depth: int) -> Any:  # noqa: ANN401
    """Returns a value that a field can hold."""
    if field.message_type is not None:
        return message_of(field.message_type, dice, depth + 1)
    kinds: dict[int, Callable[[], Any]] = {
        FieldDescriptor.CPPTYPE_STRING: lambda: (
            dice.choice(FILES) if field.type == FieldDescriptor.TYPE_BYTES else dice.choice(TEXTS)
        ),
        FieldDescriptor.CPPTYPE_BOOL: lambda: dice.random() < 0.5,
        FieldDescriptor.CPPTYPE_ENUM: lambda: dice.choice((0, 1, 2, 3, 99, -1)),
        FieldDescriptor.CPPTYPE_DOUBLE: lambda: dice.choice(REALS),
        FieldDescriptor.CPPTYPE_FLOAT: lambda: dice.choice(REALS[:8]),
    }
    number = abs if field.cpp_type in _UNSIGNED else int
    return kinds.get(field.cpp_type, lambda: number(dice.choice(NUMBERS)))()


_UNSIGNED = (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)


async def reason_of(call: Any) -> str:  # noqa: ANN401 - grpc has no types
    """Returns the reason of a refusal, or "" of an answer, whatever kind of call it is."""
    try:
        async with asyncio.timeout(SECONDS):
            if hasattr(call, "__aiter__"):
                async for _ in call:
                    pass
            else:
                await call
    except grpc.aio.AioRpcError as error:
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                info = ErrorInfo()
                Status.FromString(value).details[0].Unpack(info)
                return str(info.reason)
        return str(error.code().name)
    return ""


def called(channel: Any, method: MethodDescriptor, sent: list[bytes]) -> Any:  # noqa: ANN401
    """Sends bytes as the requests of a method."""
    name = f"/{method.containing_service.full_name}/{method.name}"
    ways = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    ask = ways[method.client_streaming, method.server_streaming](name)

    def requests() -> Iterator[bytes]:
        yield from sent

    return ask(requests() if method.client_streaming else sent[0])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_no_message_is_an_error_of_ours(tmp_path: Path, method: MethodDescriptor) -> None:
    dice = random.Random(method.full_name)
    engine = engine_in(tmp_path)
    reasons = set()
    async with serving(engine) as channel:
        await engine.collections.create(NewCollection("album"))
        items = [ItemInput(TextContent(words), words) for words in ("a", "red")]
        await engine.collections.upsert("album", items)
        for _ in range(CALLS):
            sent = [message_of(method.input_type, dice).SerializeToString() for _ in range(3)]
            reasons.add(await reason_of(called(channel, method, sent)))
        noise = [dice.randbytes(dice.choice((1, 10, 1000))) for _ in range(5)]
        for some in noise:
            reasons.add(await reason_of(called(channel, method, [some])))
        assert (await engine.readiness()).ready
    ours = {"INTERNAL", "STORAGE_FAILED", "UNKNOWN", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    assert not reasons & ours, reasons
