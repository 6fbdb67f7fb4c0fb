"""Every text that teaches words: captions, class names in many phrasings, a dictionary's words.

A caption set of 45,000 photos knows few words. The text tower must also place "puppy" beside "dog",
so it learns from class names of both teachers, from each whole word of the text teacher's own
vocabulary, and from phrases made of captions with a word exchanged. No picture is needed for it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.training.recipe import TextRecipe
from embedder.training.shards import ShardItem, is_held_out
from embedder.training.teachers.text import MiniLM, package_folder

PHOTO_TEMPLATES = (
    "{}", "a photo of {}", "a photo of a {}", "a picture of a {}", "an image of the {}",
    "a close-up of a {}", "a small {}", "two {}s", "there is a {} in the photo", "a {} outdoors",
)  # fmt: skip
SOUND_TEMPLATES = (
    "{}", "the sound of {}", "the sound of a {}", "a recording of {}", "{} sound", "{} noise",
    "sounds of {}", "someone hears {}", "this is the sound of {}", "{} in the background",
)  # fmt: skip
HELD_BACK_WORDS = frozenset({
    "puppy", "canine", "automobile", "infant", "kitten", "feline", "vessel", "locomotive", "lad",
    "blossom", "dwelling", "footwear", "beverage", "gale", "piano", "thunder", "pony", "blaze",
    "shriek",
})  # fmt: skip
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True, eq=False)
class TextBank:
    """Unique texts and where each comes from.

    Attributes:
        texts: The texts themselves, each once.
        kinds: `caption`, `held_out_caption`, `label`, `name`, `word` or `phrase`, one a text.
    """

    texts: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the texts."""
        return hashlib.sha256("\n".join(self.texts).encode()).hexdigest()

    def held_back(self) -> NDArray[np.bool_]:
        """Tells for each text whether it is kept back while generalisation is measured."""
        words = Counter(w for t in self.texts for w in set(_WORD.findall(t.lower())))
        hidden = {w for w, n in words.items() if w in HELD_BACK_WORDS or (n < 40 and _hashed(w))}
        return np.array([not hidden.isdisjoint(_WORD.findall(t.lower())) for t in self.texts])


def build_bank(items: Sequence[ShardItem], teachers: Path, recipe: TextRecipe) -> TextBank:
    """Collects the texts of the shards, the teachers' class names and the dictionary, in order."""
    kinds: dict[str, str] = {}
    captions = [c for i in items if not is_held_out(i) for c in i.captions]
    held_out = [c for i in items if is_held_out(i) for c in i.captions]
    words = dictionary()
    _add(kinds, "caption", captions)
    _add(kinds, "held_out_caption", held_out)
    _add(kinds, "label", _phrasings([i for i in items if not is_held_out(i)]))
    _add(kinds, "name", _filled(chain.from_iterable(imagenet_names(teachers)), PHOTO_TEMPLATES))
    _add(kinds, "name", _filled(chain.from_iterable(sound_names(teachers)), SOUND_TEMPLATES))
    _add(kinds, "word", _filled(words, ("{}", "a photo of a {}", "the sound of {}")))
    _add(kinds, "phrase", _phrases(captions, words, recipe))
    return TextBank(tuple(kinds), tuple(kinds.values()))


def imagenet_names(teachers: Path) -> list[list[str]]:
    """Returns the synonyms of the image teacher's 1,000 classes, in index order."""
    return _synonyms((teachers / "imagenet_labels.txt").read_text().splitlines()[1:])


def sound_names(teachers: Path) -> list[list[str]]:
    """Returns the synonyms of the sound teacher's 521 classes, in index order and lower case."""
    return _synonyms((teachers / "yamnet_classes.txt").read_text().lower().splitlines())


def dictionary() -> list[str]:
    """Returns the whole words of the text teacher's vocabulary, lower case, from three letters."""
    lines = (package_folder() / "vocab.txt").read_text().splitlines()
    return [w for w in lines if len(w) >= 3 and _WORD.fullmatch(w)]


def text_targets(bank: TextBank, path: Path) -> NDArray[np.float16]:
    """Returns the text teacher's unit vectors, (n, 384), from `path` if it holds this bank's."""
    if path.exists():
        with np.load(path) as stored:
            if str(stored["digest"]) == bank.digest:
                return np.asarray(stored["vectors"], dtype=np.float16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vectors = MiniLM().embed(bank.texts).astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, digest=bank.digest, vectors=vectors)
    return vectors


def _add(kinds: dict[str, str], kind: str, texts: Iterable[str]) -> None:
    for text in texts:
        if text.strip():
            kinds.setdefault(text.strip(), kind)


def _filled(names: Iterable[str], templates: Sequence[str]) -> list[str]:
    return [template.format(name) for name in names for template in templates]


def _phrasings(items: Sequence[ShardItem]) -> list[str]:
    """Returns labels and synonyms in the templates of their modality, in the items' order."""
    names = dict.fromkeys(
        (name, item.modality) for item in items for name in (item.label, *item.synonyms) if name
    )
    templates = {"image": PHOTO_TEMPLATES, "audio": SOUND_TEMPLATES}
    return [text for name, kind in names for text in _filled([name], templates[kind])]


def _phrases(captions: Sequence[str], words: Sequence[str], recipe: TextRecipe) -> list[str]:
    """Makes short runs of captions, some with one word exchanged for one of the dictionary."""
    random = np.random.default_rng(recipe.seed)
    phrases = []
    for exchange in [False] * recipe.runs + [True] * recipe.exchanges:
        parts = captions[int(random.integers(len(captions)))].split()
        length = int(random.integers(2, 9))
        start = int(random.integers(max(1, len(parts) - length)))
        parts = parts[start : start + length]
        if exchange:
            long = [i for i, word in enumerate(parts) if len(word) > 3] or [0]
            parts[long[int(random.integers(len(long)))]] = words[int(random.integers(len(words)))]
        phrases.append(" ".join(parts))
    return phrases


def _synonyms(lines: Sequence[str]) -> list[list[str]]:
    return [[name.strip() for name in line.split(",")] for line in lines]


def _hashed(word: str) -> bool:
    """Picks a fixed 2 % of words."""
    return int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % 50 == 0
