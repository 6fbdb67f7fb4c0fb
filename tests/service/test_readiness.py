"""Readiness goes red with what makes every request fail, and green again by itself."""

import base64
from pathlib import Path

import httpx
import pytest

from service.decoding import pool
from service.engine import Engine
from service.serve import listening
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import image_bytes, photo

pytestmark = pytest.mark.anyio

DATA = base64.b64encode(image_bytes(photo())).decode()


async def test_decoders_that_do_not_start_are_told_of_until_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate(
        {"data": tmp_path, "port": 0, "grpc_port": 0, "decode_workers": 1, "ready_seconds": 0}
    )
    async with (
        Engine(settings, [FakeEmbedder()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http, timeout=60) as http,
    ):
        question = {"input": [{"type": "image", "data": DATA}]}
        assert (await http.get("/readyz")).json() == {"ready": True, "failed": {}}
        with monkeypatch.context() as broken:
            broken.setattr(pool, "_command", lambda *_: ["false"])
            assert (await http.post("/v1/embeddings", json=question)).status_code == 500
            red = await http.get("/readyz")
            assert red.status_code == 503
            assert red.json()["failed"] == {
                "fake/decoding interactive": "no decoding process starts; the log tells why"
            }
            metrics = (await http.get("/metrics")).text
            assert 'kindred_ready{model="fake"} 0.0' in metrics
            replaced = 'kindred_decoders_replaced_total{cause="unstarted",lane="interactive"} 2.0'
            assert replaced in metrics  # once for the request, once for the probe
            words = await http.post("/v1/embeddings", json={"input": "words"})
            assert words.status_code == 200
        assert (await http.get("/readyz")).json() == {"ready": True, "failed": {}}
        assert 'kindred_ready{model="fake"} 1.0' in (await http.get("/metrics")).text
        assert (await http.post("/v1/embeddings", json=question)).status_code == 200
