"""The example runs as a reader would run it."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from embedder.errors import AdapterNotFitted
from embedder.models.mini import KindredMini
from embedder.runtime.base import Placement
from examples.sound_to_picture import main, random_adapter, random_pipeline
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
