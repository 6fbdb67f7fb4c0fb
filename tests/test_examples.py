"""The examples run as a reader would run them."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from embedder.errors import AdapterNotFitted
from embedder.models.mini import KindredMini
from embedder.runtime.base import Placement
from examples import tour
from examples.sound_to_picture import main, random_adapter, random_pipeline
from service.demo.gallery import write_gallery
from tests.kindred.servers import serving
from tests.samples import audio_bytes, tone


def drawn(sound: Path, *more: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Returns the picture that the example writes for a sound."""
    output = sound.with_suffix(".png")
    main([str(sound), "-o", str(output), "--steps", "2", *more])
    return np.asarray(PIL.Image.open(output))


@pytest.mark.weights
def test_a_sound_becomes_a_picture_by_any_pipeline_of_the_class(tmp_path: Path) -> None:
    low, high = tmp_path / "low.wav", tmp_path / "high.wav"
    low.write_bytes(audio_bytes(tone(hz=200.0)))
    high.write_bytes(audio_bytes(tone(hz=3000.0)))
    picture = drawn(low)
    assert picture.shape == (16, 16, 3)
    assert (drawn(high) != picture).any()

    pipeline, adapters = tmp_path / "pipeline", tmp_path / "adapters"
    random_pipeline().save_pretrained(pipeline)
    own = ("--pipeline", str(pipeline), "--adapters", str(adapters))
    with pytest.raises(AdapterNotFitted, match="kindred profile fit --profile sd21-unclip-h"):
        drawn(low, *own)
    random_adapter(KindredMini.load(how=Placement(runtime="torch")).space, adapters)
    np.testing.assert_array_equal(drawn(low, *own), picture)


@pytest.mark.weights
def test_the_tour_is_the_same_over_both_wires(
    tmp_path: Path,
    graphs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_gallery(tmp_path / "gallery")
    monkeypatch.setattr(tour, "GALLERY", tmp_path / "gallery")
    with serving(tmp_path / "data", decode_workers=0, cache=graphs) as found:
        told = []
        for address in (found.grpc, found.http):
            tour.main(["--server", address])
            told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    for line in (
        "stored 36 items of 36",
        "words to anything           cat-meowing (",
        "a sound to pictures         cat (",
        "what is this sound?         a siren ",
    ):
        assert line in told[0]
