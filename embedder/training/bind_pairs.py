"""What a new sense is bound to: sounds, and a frozen model's vectors of their texts and pictures.

The model is run once over every text and picture, and what it says is kept.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embedder.base import Embedder, Vectors
from embedder.decode import decode
from embedder.errors import MediaError
from embedder.features.audio import FRAME_HOP, PATCH_FRAMES, SAMPLE_RATE, patches
from embedder.media import Modality, Text
from embedder.training.binding import sound_picture_table
from embedder.training.loop import LoopRecipe
from embedder.training.shards import (
    ShardItem,
    is_held_out,
    read_items,
    read_media,
    read_sound_image_pairs,
)
from embedder.training.sound_targets import Spectrograms, cached_spectrograms

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BindSenseRecipe:
    """The numbers of one binding.

    Attributes:
        loop: Steps, rates and seed.
        batch: Sounds a step.
        seconds: Length of the random part of each sound that a step hears.
        temperature: What cosines are divided by at first; learnt from there, as in CLIP.
        picture_weight: Weight of the pictures beside 1 for the texts.
        pictures: How many pictures of each label are looked at.
    """

    loop: LoopRecipe = field(
        default_factory=lambda: LoopRecipe(
            steps=600, learning_rate=3e-4, weight_decay=0.05, warmup=30, ema=0.98, seed=30
        )
    )
    batch: int = 64
    seconds: float = 4.0
    temperature: float = 0.07
    picture_weight: float = 0.5
    pictures: int = 8


def recipe_of(steps: int | None = None, batch: int | None = None) -> BindSenseRecipe:
    """Returns the usual recipe, with other numbers where they are given."""
    usual = BindSenseRecipe()
    loop = replace(usual.loop, steps=steps or usual.loop.steps)
    return replace(usual, loop=loop, batch=batch or usual.batch)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Sounds and what the base makes of their partners.

    Attributes:
        sounds: Log-mels of n sounds.
        texts: Unit vectors of all texts, (t, dim).
        texts_of: Which of them each sound has, n arrays.
        pictures: Unit vectors of all pictures, (p, dim).
        pictures_of: Which of them each sound has, n arrays, some empty.
    """

    sounds: Spectrograms
    texts: Tensor
    texts_of: Sequence[NDArray[np.int64]]
    pictures: Tensor
    pictures_of: Sequence[NDArray[np.int64]]


def pairs_of(
    items: Sequence[ShardItem], base: Embedder, data: Path, folder: Path, recipe: BindSenseRecipe
) -> Pairs:
    """Returns sounds with what the base makes of their captions, and of pictures of their source.

    Args:
        items: The sounds.
        base: The frozen model.
        data: Where pictures and the table of pairs are, if there are any.
        folder: Of caches.
        recipe: How many pictures are looked at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    captions = sorted({caption for item in items for caption in item.captions})
    rows = {caption: row for row, caption in enumerate(captions)}
    pictures = _partners(items, data, recipe) if Modality.IMAGE in base.modalities else {}
    shown = sorted(
        {it.key: it for some in pictures.values() for it in some}.values(),
        key=lambda item: (item.shard, item.row),
    )
    vectors, seen = _seen(shown, base, folder / "pictures.npz")
    columns = {key: column for column, key in enumerate(seen)}
    return Pairs(
        sounds=cached_spectrograms(items, folder / "sounds.npz"),
        texts=torch.from_numpy(_said(captions, base, folder / "texts.npz")),
        texts_of=[np.array([rows[c] for c in item.captions]) for item in items],
        pictures=torch.from_numpy(vectors),
        pictures_of=[
            np.array(
                [columns[it.key] for it in pictures.get(item.label or "", ()) if it.key in columns],
                np.int64,
            )
            for item in items
        ],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One batch: n sounds, and what they may be paired with.

    Attributes:
        patches: (n, patches, 96, 64).
        texts: (t, dim).
        says: Which texts each sound has, (n, t).
        pictures: (p, dim).
        shows: Which pictures each sound has, (n, p).
    """

    patches: Tensor
    texts: Tensor
    says: Tensor
    pictures: Tensor
    shows: Tensor


def draw(pairs: Pairs, recipe: BindSenseRecipe, step: int) -> Drawn:
    """Returns the batch of a step: a random part, text and picture of each of some sounds."""
    random = np.random.default_rng([recipe.loop.seed, step])
    count = min(recipe.batch, len(pairs.texts_of))
    chosen = random.choice(len(pairs.texts_of), count, replace=False)
    frames = max(PATCH_FRAMES, round(recipe.seconds * SAMPLE_RATE / FRAME_HOP))
    heard = [patches(_part(pairs.sounds.clip(i), frames, random)) for i in chosen]
    texts = np.unique([random.choice(pairs.texts_of[i]) for i in chosen])
    own = [random.choice(pairs.pictures_of[i]) for i in chosen if len(pairs.pictures_of[i])]
    pictures = np.unique(np.array(own, np.int64))
    return Drawn(
        patches=torch.from_numpy(np.stack(heard)),
        texts=pairs.texts[texts],
        says=torch.from_numpy(np.stack([np.isin(texts, pairs.texts_of[i]) for i in chosen])),
        pictures=pairs.pictures[pictures],
        shows=torch.from_numpy(np.stack([np.isin(pictures, pairs.pictures_of[i]) for i in chosen])),
    )


def _part(
    clip: NDArray[np.float32], frames: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Returns so many frames from anywhere in a clip, repeated where it is shorter."""
    if len(clip) < frames:
        clip = np.tile(clip, (-(-frames // len(clip)), 1))
    begin = random.integers(len(clip) - frames + 1)
    return clip[begin : begin + frames]


def _said(captions: Sequence[str], base: Embedder, path: Path) -> Vectors:
    """Returns the base's vectors of texts, from `path` where an earlier call has left them."""
    known = _kept(path, base)
    if known is None or known[1] != list(captions):
        logger.info("%s reads %d texts", base.name, len(captions))
        known = (base.embed([Text(caption) for caption in captions]), list(captions))
        np.savez(path, space=base.space.id, vectors=known[0], keys=np.array(captions))
    return known[0]


def _seen(items: Sequence[ShardItem], base: Embedder, path: Path) -> tuple[Vectors, list[str]]:
    """Returns the base's vectors of pictures and their keys; those it can't read are left out."""
    known = _kept(path, base)
    if known is not None:
        return known
    logger.info("%s looks at %d pictures", base.name, len(items))
    vectors, keys = [np.empty((0, base.space.dim), np.float32)], []
    for item, file in zip(items, read_media(items), strict=True):
        try:
            vectors.append(base.embed([decode(file)]))
        except MediaError as error:
            logger.warning("picture %s is left out: %s", item.key, error)
            continue
        keys.append(item.key)
    found = np.concatenate(vectors)
    np.savez(path, space=base.space.id, vectors=found, keys=np.array(keys, dtype=np.str_))
    return found, keys


def _kept(path: Path, base: Embedder) -> tuple[Vectors, list[str]] | None:
    if not path.exists():
        return None
    with np.load(path) as file:
        if str(file["space"]) != base.space.id:
            return None
        return file["vectors"], file["keys"].tolist()


def _partners(
    items: Sequence[ShardItem], data: Path, recipe: BindSenseRecipe
) -> dict[str, list[ShardItem]]:
    """Returns pictures of what makes the sound of each label, none that is held out."""
    table = data / "sound_image_pairs.csv"
    pairs = read_sound_image_pairs(data) if table.exists() else []
    pictures = [
        item
        for item in read_items(data)
        if item.modality == Modality.IMAGE and not is_held_out(item)
    ]
    labels = sorted({item.label for item in items if item.label})
    shows = sound_picture_table(labels, items, pictures, pairs)
    return {
        label: [pictures[i] for i in np.flatnonzero(row)[: recipe.pictures]]
        for label, row in zip(labels, shows, strict=True)
    }
