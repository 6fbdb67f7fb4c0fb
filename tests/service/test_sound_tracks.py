"""Sound tracks of films that strangers made are copied where their reader can be ended."""

import time
from pathlib import Path

import pytest

from embedder.decode import DEFAULT_LIMITS, sense, sound_track
from embedder.errors import UndecodableMedia
from embedder.frames import Pick
from embedder.media import Modality
from service.decoding.pool import Bounds
from service.decoding.tracks import COPIER, SoundTracks
from service.decoding.wire import Track
from service.engine import Engine
from service.jobs.messages import IngestFolder, JobState
from service.messages import NewCollection
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import colours, film_bytes, tone

FILM = film_bytes(colours("red"), sound=tone(440, seconds=1, sample_rate=48_000))
SILENT = film_bytes(colours("red"))
MIB = 1024 * 1024


def hanging(modality: Modality, data: bytes, limits: object, pick: Pick) -> Track:
    """Stands for a reader that a header leads into a circle."""
    time.sleep(3600)
    raise AssertionError("it has not been ended")


def tracks(seconds: float = 20.0, copier: str = COPIER) -> SoundTracks:
    return SoundTracks(Bounds(DEFAULT_LIMITS, 512 * MIB, seconds), copier)


def test_the_track_is_the_one_that_the_library_copies() -> None:
    with tracks() as copied:
        assert copied.of(FILM) == sound_track(FILM)
        assert copied.of(SILENT) is None
        with pytest.raises(UndecodableMedia):
            copied.of(FILM[: len(FILM) // 2])
        assert copied.of(FILM) == sound_track(FILM)


def test_a_film_that_hangs_its_reader_costs_itself() -> None:
    with (
        tracks(0.2, "tests.service.test_sound_tracks:hanging") as copied,
        pytest.raises(UndecodableMedia, match=r"within decode_seconds 0\.2, and took longer"),
    ):
        copied.of(FILM)


@pytest.mark.anyio
async def test_a_job_reads_no_film_in_the_process_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_here(*_: object) -> None:
        pytest.fail("a film was read in the process of the server")

    for reader in ("embedder.decode.sound_track", "embedder.decode.audio.sound_track", "av.open"):
        monkeypatch.setattr(reader, read_here)
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "loud.mp4").write_bytes(FILM)
    (folder / "silent.mp4").write_bytes(SILENT)
    options = {"data": tmp_path / "data", "job_folders": [folder], "decode_workers": 1}
    settings = Settings.model_validate(options)
    async with Engine(settings, [FakeEmbedder()]) as engine:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        states = [info.state async for info in await engine.jobs.watch(job.id)]
        assert states[-1] is JobState.SUCCEEDED
        heard, _ = await engine.collections.content("album", "loud.mp4#sound")
        page = await engine.collections.items("album", page_size=10)
    assert sense(heard) is Modality.AUDIO
    assert [item.id for item in page.items] == ["loud.mp4", "loud.mp4#sound", "silent.mp4"]
