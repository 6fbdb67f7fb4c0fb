"""Every failure in one shape, by the table of `service.errors`."""

import json
import math
from typing import NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from service.errors import Problem
from service.rpc.context import Context
from service.telemetry import request_id

DOMAIN = "kindred"
"""The domain of every ErrorInfo: reasons are unique within it."""


async def abort(context: Context, found: Problem) -> NoReturn:
    """Ends a call with what went wrong."""
    status = rpc_status.to_status(_status(found))
    trailer = (*status.trailing_metadata, *named())
    await context.abort(status.code, status.details, trailer)
    raise AssertionError("abort raises")


def named() -> tuple[tuple[str, str], ...]:
    """Returns what tells the client the id of its request, as REST does in a header."""
    return (("x-request-id", request_id.get()),)


def _status(found: Problem) -> Status:
    """Returns the error with its details: the same facts as in the error body of REST.

    ErrorInfo's metadata are texts, so every value there is written as JSON.
    """
    facts = {"code": found.status.http, **found.details}
    metadata = {name: json.dumps(value) for name, value in facts.items()}
    details: list[Message] = [
        ErrorInfo(reason=found.status.reason, domain=DOMAIN, metadata=metadata)
    ]
    if found.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(math.ceil(found.retry_after * 1000))
        details.append(retry)
    code = grpc.StatusCode[found.status.grpc].value[0]
    return Status(code=code, message=found.message, details=[_packed(each) for each in details])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
