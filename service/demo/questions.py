"""What the demo asks of its gallery, and what should be found first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedder.media import Modality
from service.demo.gallery import OTHER_EYE, PHOTOS, mirrored_detail, photo_id, sound_id
from service.demo.sounds import SOUNDS
from service.messages import Content, MediaContent, TextContent

PHOTO_WORDS: Mapping[str, str] = {
    "astronaut": "an astronaut in a space suit",
    "brick-wall": "a brick wall",
    "cat": "a cat",
    "coffee": "a cup of coffee",
    "coins": "coins",
    "flower": "a flower",
    "galaxies": "stars and galaxies",
    "grass": "grass",
    "gravel": "gravel and small stones",
    "moon": "the surface of the moon",
    "motorcycle": "a motorcycle",
    "page": "printed text",
    "photographer": "a man with a camera on a tripod",
    "rocket": "a rocket",
    "temple": "a temple by a lake",
}
"""What people would type to find each photograph."""

KIN: Mapping[str, str] = {
    "cat meowing": "cat",
    "engine idling": "motorcycle",
    "crickets": "grass",
    "footsteps": "gravel",
    "sea waves": "temple",
}
"""Sounds, and the photograph of the gallery that shows where each could be heard."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the gallery.

    Attributes:
        direction: From what to what, such as "words to photo".
        words: How the table shows it.
        content: What is asked.
        modality: What may answer.
        expected: The id that should come first.
    """

    direction: str
    words: str
    content: Content
    modality: Modality
    expected: str


def questions(gallery: Path) -> list[Question]:
    """Returns the questions, in every direction, to a gallery that has been written."""
    return [
        *(_words_to_photo(name) for name in PHOTOS),
        *(_words_to_sound(name) for name in SOUNDS),
        *(_sound_to_photo(gallery, *pair) for pair in KIN.items()),
        *(_photo_to_sound(gallery, *pair) for pair in KIN.items()),
        *_photo_to_photo(gallery),
    ]


def _words_to_photo(name: str) -> Question:
    words = PHOTO_WORDS[name]
    return Question("words to photo", words, TextContent(words), Modality.IMAGE, photo_id(name))


def _words_to_sound(name: str) -> Question:
    return Question("words to sound", name, TextContent(name), Modality.AUDIO, sound_id(name))


def _sound_to_photo(gallery: Path, sound: str, photo: str) -> Question:
    content = MediaContent(Modality.AUDIO, (gallery / sound_id(sound)).read_bytes())
    return Question("sound to photo", sound, content, Modality.IMAGE, photo_id(photo))


def _photo_to_sound(gallery: Path, sound: str, photo: str) -> Question:
    content = MediaContent(Modality.IMAGE, (gallery / photo_id(photo)).read_bytes())
    return Question("photo to sound", photo, content, Modality.AUDIO, sound_id(sound))


def _photo_to_photo(gallery: Path) -> Iterable[Question]:
    for name in ("cat", "coffee"):
        detail = MediaContent(Modality.IMAGE, mirrored_detail(gallery / photo_id(name)))
        words = f"{name}, a mirrored detail"
        yield Question("photo to photo", words, detail, Modality.IMAGE, photo_id(name))
    other = MediaContent(Modality.IMAGE, OTHER_EYE.path().read_bytes())
    words = "motorcycle, from another place"
    yield Question("photo to photo", words, other, Modality.IMAGE, photo_id("motorcycle"))
