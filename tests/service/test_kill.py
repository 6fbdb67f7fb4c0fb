"""kill -9 in the middle of a stream of upserts over REST: all that was acknowledged is found."""

import base64
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from embedder.media import Modality
from service.engine import Engine
from service.messages import MediaContent, QueryPart, SearchQuery, TextContent
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import image_bytes, photo

BATCH = 8
KILLED_AFTER = 5


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.service.victim", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def item(number: int) -> dict[str, object]:
    if number % 2:
        return {"id": str(number), "content": f"word{number}", "metadata": {"number": number}}
    data = base64.b64encode(image_bytes(photo(number))).decode()
    content = {"type": "image", "data": data}
    return {"id": str(number), "content": content, "metadata": {"number": number}}


def stream_until_killed(victim: subprocess.Popen[str]) -> list[str]:
    """Upserts batch after batch, has the server killed meanwhile, returns what it acknowledged."""
    assert victim.stdout is not None
    acknowledged: list[str] = []
    with httpx.Client(base_url=victim.stdout.readline().strip()) as client:
        client.post("/v1/collections", json={"name": "things"})
        for batch in range(10_000):
            if batch == KILLED_AFTER:
                threading.Timer(0.02, victim.send_signal, [signal.SIGKILL]).start()
            items = [item(BATCH * batch + i) for i in range(BATCH)]
            try:
                answer = client.post("/v1/collections/things/items:upsert", json={"items": items})
            except httpx.TransportError:
                return acknowledged
            acknowledged += [result["id"] for result in answer.json()["results"]]
    return acknowledged


@pytest.mark.anyio
async def test_what_was_acknowledged_is_there_and_found(
    victim: subprocess.Popen[str], tmp_path: Path
) -> None:
    acknowledged = stream_until_killed(victim)
    assert len(acknowledged) >= BATCH * KILLED_AFTER
    assert victim.wait() == -signal.SIGKILL
    async with Engine(Settings(data=tmp_path), [FakeEmbedder()]) as engine:
        stored = {
            kept.id for kept in (await engine.collections.items("things", page_size=1000)).items
        }
        assert stored >= set(acknowledged)
        assert len(stored) - len(acknowledged) in (0, BATCH)  # a batch is whole or not at all
        for name in stored:
            number = int(name)
            content = (
                TextContent(f"word{number}")
                if number % 2
                else MediaContent(Modality.IMAGE, image_bytes(photo(number)))
            )
            query = SearchQuery([QueryPart(content)], k=1, ranking="cosine")
            (hit,) = (await engine.collections.search("things", query)).hits
            assert (hit.id, hit.metadata, hit.has_content) == (name, {"number": number}, True)
