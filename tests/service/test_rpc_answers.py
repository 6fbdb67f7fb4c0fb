"""Answers that nobody takes: who leaves them gets no more, and everybody else does."""

import asyncio
import logging
from pathlib import Path

import pytest

from kindred.v1 import embedding_service_pb2 as embeddings_pb
from service.access.caller import Scope
from service.rpc.server import is_failure
from tests.service.half_messages import Halves
from tests.service.rpc_server import text
from tests.service.test_rpc_arrivals import EMBED, engine_of, listening

pytestmark = pytest.mark.anyio

ASKED = embeddings_pb.EmbedRequest(contents=[text("words")]).SerializeToString()


def test_of_clients_that_left_as_they_were_answered_nothing_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    grpcs = logging.getLogger("grpc._cython.cygrpc")
    grpcs.addFilter(is_failure)
    grpcs.error("ExecuteBatchError raised in core by servicer method [%s]", EMBED)
    assert caplog.records == []
    grpcs.error("Unexpected [KeyError] raised by servicer method [%s]", EMBED)
    assert len(caplog.records) == 1


async def asked(halves: Halves, key: str) -> int:
    call = halves.begin(EMBED, len(ASKED), authorization=f"Bearer {key}")
    await halves.send(call, ASKED)
    return call


async def test_who_takes_no_answers_gets_no_more_until_they_leave(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, max_body_bytes=1000)
    keys = [engine.guard.file.create(name, (Scope.READ,)) for name in ("one", "other")]
    (idle, shown), (_, other) = keys
    async with listening(engine) as address, Halves.to(address) as honest:
        async with Halves.to(address, takes=0) as leaving:
            calls = []
            while not leaving.ended:
                calls.append(await asked(leaving, shown))
                await honest.end(await asked(honest, other))
            told = leaving.ended[calls[-1]]
            assert f"bytes for {idle.id} wait, more than max_body_bytes 1000".encode() in told
            assert len(calls) > 2  # so many may wait
            assert b"take answers before" in await honest.end(await asked(honest, shown))
            assert b"take answers" not in await honest.end(await asked(honest, other))
        async with asyncio.timeout(30):
            while b"take answers" in await honest.end(await asked(honest, shown)):
                await asyncio.sleep(0.01)
