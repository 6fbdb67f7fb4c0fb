"""A gallery of real photographs and synthesised sounds, written as files.

The photographs come with scikit-image and scikit-learn, under their licences, and no model of ours
is ever trained on one. Only what the files hold is embedded: their names tell the model nothing.
"""

import wave
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from embedder.errors import MissingDependency
from service.demo.sounds import SAMPLE_RATE, SOUNDS


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph that an installed package carries.

    Attributes:
        package: Who carries it.
        file: Its path in the package.
    """

    package: str
    file: str

    @classmethod
    def of_scikit_image(cls, name: str) -> "Photo":
        """Returns a photograph that comes in scikit-image's wheel."""
        return cls("skimage", f"data/{name}")

    @classmethod
    def of_scikit_learn(cls, name: str) -> "Photo":
        """Returns a photograph that comes in scikit-learn's wheel."""
        return cls("sklearn", f"datasets/images/{name}")

    def path(self) -> Path:
        """Returns where it lies; the package is found and not imported.

        Raises:
            MissingDependency: If the package is not installed, or carries it no more.
        """
        found = find_spec(self.package)
        path = Path(found.origin).parent / self.file if found and found.origin else None
        if path is None or not path.is_file():
            raise MissingDependency(
                f"the demo shows {self.file} of {self.package}: pip install 'kindred[demo]'"
            )
        return path


PHOTOS: Mapping[str, Photo] = {
    "astronaut": Photo.of_scikit_image("astronaut.png"),
    "brick-wall": Photo.of_scikit_image("brick.png"),
    "cat": Photo.of_scikit_image("chelsea.png"),
    "coffee": Photo.of_scikit_image("coffee.png"),
    "coins": Photo.of_scikit_image("coins.png"),
    "flower": Photo.of_scikit_learn("flower.jpg"),
    "galaxies": Photo.of_scikit_image("hubble_deep_field.jpg"),
    "grass": Photo.of_scikit_image("grass.png"),
    "gravel": Photo.of_scikit_image("gravel.png"),
    "moon": Photo.of_scikit_image("moon.png"),
    "motorcycle": Photo.of_scikit_image("motorcycle_left.png"),
    "page": Photo.of_scikit_image("page.png"),
    "photographer": Photo.of_scikit_image("camera.png"),
    "rocket": Photo.of_scikit_image("rocket.jpg"),
    "temple": Photo.of_scikit_learn("china.jpg"),
}
"""The photographs of the gallery, by what they show."""

OTHER_EYE = Photo.of_scikit_image("motorcycle_right.png")
"""The motorcycle by the other lens of a stereo camera; only ever a question."""


def photo_id(name: str) -> str:
    """Returns the id under which a photograph is indexed."""
    return f"photos/{name}{Path(PHOTOS[name].file).suffix}"


def sound_id(name: str) -> str:
    """Returns the id under which a sound is indexed."""
    return f"sounds/{name.replace(' ', '-')}.wav"


def write_gallery(folder: Path) -> None:
    """Writes the photographs and sounds below the folder; what is already there stays as it is.

    Raises:
        MissingDependency: If a package that carries photographs is not installed.
    """
    for name, photo in PHOTOS.items():
        _write(folder / photo_id(name), photo.path().read_bytes())
    for name, synthesise in SOUNDS.items():
        target = folder / sound_id(name)
        if not target.exists():
            _write(target, wav(synthesise()))


def wav(samples: NDArray[np.float32]) -> bytes:
    """Returns mono samples in [-1, 1], shape (1, n), as a WAV file of 16 bits."""
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def mirrored_detail(path: Path) -> bytes:
    """Returns the middle of a photograph, four fifths of each side, mirrored, as PNG."""
    buffer = BytesIO()
    with PIL.Image.open(path) as image:
        width, height = image.size
        middle = image.crop((width // 10, height // 10, width * 9 // 10, height * 9 // 10))
        PIL.ImageOps.mirror(middle).save(buffer, "PNG")
    return buffer.getvalue()


def _write(target: Path, data: bytes) -> None:
    """Writes a file that is whole whenever it is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(data)
        part.replace(target)
