"""A gallery of real photographs and synthesised sounds, written as files.

The photographs come with scikit-image and scikit-learn, under their licences, and no model of ours
is ever trained on one. Only what the files hold is embedded: their names tell the model nothing.
"""

import shutil
import wave
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.errors import MissingDependency
from service.demo.sounds import SAMPLE_RATE, SOUNDS

_SCIKIT_IMAGE, _SCIKIT_LEARN = ("skimage", "data"), ("sklearn", "datasets", "images")

PHOTOS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "astronaut": (_SCIKIT_IMAGE, "astronaut.png"),
    "brick wall": (_SCIKIT_IMAGE, "brick.png"),
    "cat": (_SCIKIT_IMAGE, "chelsea.png"),
    "coffee": (_SCIKIT_IMAGE, "coffee.png"),
    "coins": (_SCIKIT_IMAGE, "coins.png"),
    "flower": (_SCIKIT_LEARN, "flower.jpg"),
    "galaxies": (_SCIKIT_IMAGE, "hubble_deep_field.jpg"),
    "grass": (_SCIKIT_IMAGE, "grass.png"),
    "gravel": (_SCIKIT_IMAGE, "gravel.png"),
    "moon": (_SCIKIT_IMAGE, "moon.png"),
    "motorcycle": (_SCIKIT_IMAGE, "motorcycle_left.png"),
    "page": (_SCIKIT_IMAGE, "page.png"),
    "photographer": (_SCIKIT_IMAGE, "camera.png"),
    "retina": (_SCIKIT_IMAGE, "retina.jpg"),
    "rocket": (_SCIKIT_IMAGE, "rocket.jpg"),
    "temple": (_SCIKIT_LEARN, "china.jpg"),
}
"""What each photograph shows, and where it lies: a package's folder and a file."""

SECOND_LOOK = (_SCIKIT_IMAGE, "motorcycle_right.png")
"""The motorcycle by the other eye of a stereo camera: a question, not part of the gallery."""


def write_gallery(folder: Path) -> None:
    """Writes `photos/` and `sounds/` below the folder; what is already there stays as it is.

    Raises:
        MissingDependency: If the packages that carry the photographs are not installed.
    """
    for name, (package, file) in PHOTOS.items():
        source = _carried(package, file)
        _copy(source, folder / "photos" / (name.replace(" ", "-") + source.suffix))
    for name, synthesise in SOUNDS.items():
        target = folder / "sounds" / (name.replace(" ", "-") + ".wav")
        if not target.exists():
            write_wav(target, synthesise())


def write_wav(path: Path, samples: NDArray[np.float32]) -> None:
    """Writes mono samples in [-1, 1], shape (n,), as 16-bit WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _carried(package: tuple[str, ...], file: str) -> Path:
    """Returns a file that an installed package carries; the package is not imported."""
    found = find_spec(package[0])
    if found is None or found.origin is None:
        raise MissingDependency(
            f"the demo's photographs come with {package[0]}: pip install 'kindred[demo]'"
        )
    return Path(found.origin).parent.joinpath(*package[1:], file)
