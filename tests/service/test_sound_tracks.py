"""Sound tracks of films that strangers made are copied where their reader can be ended."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from embedder.decode import DEFAULT_LIMITS, sense, sound_track
from embedder.errors import UndecodableMedia
from embedder.media import Modality
from indexes.local.folder import FolderStore
from service.cli import app
from service.decoding.pool import Bounds
from service.decoding.tracks import COPIER, SoundTracks
from service.engine import Engine
from service.jobs.messages import IngestFolder, JobState
from service.messages import NewCollection
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import colours, film_bytes, tone

FILM = film_bytes(colours("red"), sound=tone(440, seconds=1, sample_rate=48_000))
SILENT = film_bytes(colours("red"))
MIB = 1024 * 1024


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
        tracks(0.2, "tests.service.bad_decoders:hang") as copied,
        pytest.raises(UndecodableMedia, match=r"within decode_seconds 0\.2, and took longer"),
    ):
        copied.of(FILM)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder with a film that has a sound track, and one that has none."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "loud.mp4").write_bytes(FILM)
    (folder / "silent.mp4").write_bytes(SILENT)
    return folder


@pytest.fixture
def _nothing_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails whoever reads a film in this process."""

    def read_here(*_: object) -> None:
        pytest.fail("a film was read in this process")

    for reader in ("embedder.decode.sound_track", "embedder.decode.audio.sound_track", "av.open"):
        monkeypatch.setattr(reader, read_here)


@pytest.mark.usefixtures("_nothing_is_read_here")
def test_the_command_reads_no_film_in_its_own_process(films: Path, tmp_path: Path) -> None:
    args = ["index", str(films), "--data", str(tmp_path / "data"), "--verbose"]
    told = CliRunner().invoke(app, args, obj=lambda settings: Engine(settings, [FakeEmbedder()]))
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("default: 2 added, in ")
    with FolderStore(tmp_path / "data") as store:
        stored = [item.id for item in store.open("default").items(page_size=10).items]
    assert stored == ["loud.mp4", "loud.mp4#sound", "silent.mp4"]


@pytest.mark.anyio
@pytest.mark.usefixtures("_nothing_is_read_here")
async def test_a_job_reads_no_film_in_the_process_of_the_server(
    films: Path, tmp_path: Path
) -> None:
    options = {"data": tmp_path / "data", "job_folders": [films], "decode_workers": 1}
    settings = Settings.model_validate(options)
    async with Engine(settings, [FakeEmbedder()]) as engine:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(films)))
        states = [info.state async for info in await engine.jobs.watch(job.id)]
        assert states[-1] is JobState.SUCCEEDED
        heard, _ = await engine.collections.content("album", "loud.mp4#sound")
        page = await engine.collections.items("album", page_size=10)
    assert sense(heard) is Modality.AUDIO
    assert [item.id for item in page.items] == ["loud.mp4", "loud.mp4#sound", "silent.mp4"]
