"""The demo: its material, its table, and with the real weights what it finds."""

import wave
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from embedder.decode import decode
from embedder.media import Audio, Image
from service.cli import app
from service.cli.backend import MakeEngine
from service.demo.gallery import PHOTOS, photo_id, sound_id, wav, write_gallery
from service.demo.questions import KIN, PHOTO_WORDS, questions
from service.demo.sounds import SAMPLE_RATE, SOUNDS
from tests.service.test_cli import open_fake


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "gallery"
    write_gallery(folder)
    return folder


def demo(folder: Path, engine: MakeEngine | None = open_fake) -> Result:
    return CliRunner().invoke(app, ["demo", "--folder", str(folder), "--no-serve"], obj=engine)


def test_the_gallery_holds_every_photograph_and_sound(gallery: Path) -> None:
    for name in PHOTOS:
        assert isinstance(decode((gallery / photo_id(name)).read_bytes()), Image)
    for name in SOUNDS:
        sound = decode((gallery / sound_id(name)).read_bytes())
        assert isinstance(sound, Audio)
        assert sound.sample_rate == SAMPLE_RATE
    assert len(list(gallery.rglob("*.*"))) == len(PHOTOS) + len(SOUNDS)


def test_a_gallery_that_is_there_is_left_alone(gallery: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in gallery.rglob("*.*")}
    write_gallery(gallery)
    assert before == {path: path.stat().st_mtime_ns for path in gallery.rglob("*.*")}


def test_a_sound_is_written_as_it_is(tmp_path: Path) -> None:
    samples = np.array([[0.0, 0.5, -0.5, 1.0, -1.0, 2.0]], dtype=np.float32)
    (tmp_path / "sound.wav").write_bytes(wav(samples))
    with wave.open(str(tmp_path / "sound.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, SAMPLE_RATE)
        written = np.frombuffer(file.readframes(10), dtype="<i2")
    np.testing.assert_array_equal(written, [0, 16383, -16383, 32767, -32767, 32767])


def test_every_photograph_and_sound_is_asked_for_and_expected_in_the_gallery(gallery: Path) -> None:
    assert PHOTO_WORDS.keys() == PHOTOS.keys()
    assert KIN.keys() <= SOUNDS.keys()
    assert set(KIN.values()) <= PHOTOS.keys()
    asked = questions(gallery)
    assert {photo_id(name) for name in PHOTOS} <= {question.expected for question in asked}
    assert {sound_id(name) for name in SOUNDS} <= {question.expected for question in asked}
    assert all((gallery / question.expected).is_file() for question in asked)


@pytest.mark.usefixtures("decodes_here")
def test_the_demo_indexes_asks_and_says_how_to_serve(tmp_path: Path) -> None:
    result = demo(tmp_path)
    assert result.exit_code == 0, result.output
    assert f"Gallery: {len(PHOTOS) + len(SOUNDS)} added" in result.stdout
    for asked in ("words to photo", "words to sound", "sound to photo", "photo to sound"):
        assert f"{asked}: the expected one first in " in result.stdout
    assert "photo to photo: the expected one first in 3 of 3" in result.stdout
    assert f"kindred serve --data {tmp_path / 'data'}" in result.stdout
    assert f"Gallery: {len(PHOTOS) + len(SOUNDS)} unchanged" in demo(tmp_path).stdout


@pytest.mark.weights
def test_the_model_finds_what_it_should(
    tmp_path: Path, graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINDRED_CACHE", str(graphs))
    result = demo(tmp_path, engine=None)
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if "✓" in line]
    for words in ("a cat", "a cup of coffee", "a motorcycle", "a rocket"):
        assert any(f" {words} " in row for row in rows), words
    sounds = [name for name in SOUNDS if any(f" {name} " in row for row in rows)]
    assert len(sounds) >= 0.7 * len(SOUNDS)
