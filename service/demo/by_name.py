"""How many things of the demo's gallery are found first by their names: the demo as a figure."""

from collections.abc import Sequence

import numpy as np

from embedder.base import Embedder
from embedder.decode import decode
from embedder.evaluate import Figure, Report
from embedder.evaluate.tasks import Task
from embedder.media import Text
from service.demo.gallery import PHOTOS, wav
from service.demo.questions import PHOTO_WORDS
from service.demo.sounds import SOUNDS


def by_name(embedder: Embedder) -> Report:
    """Returns R@1 of the photographs and of the sounds, each kind in a list of its own.

    Raises:
        MissingDependency: If a package that carries photographs is not installed.
    """
    photos = {words: PHOTOS[name].path().read_bytes() for name, words in PHOTO_WORDS.items()}
    sounds = {name: wav(synthesise()) for name, synthesise in SOUNDS.items()}
    return Report(
        (
            _found(embedder, "text > image", list(photos), list(photos.values())),
            _found(embedder, "text > audio", list(sounds), list(sounds.values())),
        )
    )


def _found(
    embedder: Embedder, direction: str, names: Sequence[str], files: Sequence[bytes]
) -> Figure:
    words = embedder.embed([Text(name) for name in names])
    things = embedder.embed([decode(file) for file in files])
    (figure,) = Task(direction, "demo", words, things, np.eye(len(names), dtype=bool)).recalls((1,))
    return figure
