"""Makes kindred-mini: every stage in order, from shards and teachers to the file that ships.

A stage keeps what it makes in a folder of its own and takes up what it finds there, so that a run
which was stopped goes on where it was, and a finished stage costs nothing.

    targets/   what the teachers say of every item          text/    the text tower
    space.safetensors   the teachers' joint space           image/   the image tower
    kindred-mini.*      what ships                          audio/   the audio tower
    bridges/   vectors of the finished model, and the prior

The generator kindred-demo is optional and made by `train_generator`, when there is a kindred-mini:

    generator/   its photos, checkpoints and weights
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from embedder.base import Embedder, Vectors
from embedder.conditioning.bridge_file import BUNDLED
from embedder.decode import decode
from embedder.media import Modality, Text
from embedder.models.audio_tower import AudioTower
from embedder.models.image_tower import ImageShape, ImageTower
from embedder.models.mini import WEIGHTS, KindredMini
from embedder.models.text_tower import TextTower
from embedder.training.audio import SoundLessons, teach_audio
from embedder.training.bridging import make_bridges
from embedder.training.export import Geometry, Tower, export, measure_geometry
from embedder.training.generator import make_generator
from embedder.training.generator_recipe import GeneratorRecipe
from embedder.training.image import teach_image
from embedder.training.image_vectors import Guidance
from embedder.training.joint import Outputs, known_pictures, make_space, picture_names
from embedder.training.lessons import Sentences
from embedder.training.prior_recipe import PriorRecipe
from embedder.training.recipe import Recipe
from embedder.training.shards import (
    ShardItem,
    is_held_out,
    read_items,
    read_media,
    read_sound_image_pairs,
)
from embedder.training.sound_targets import Spectrograms, cached_sound_targets, cached_spectrograms
from embedder.training.space import DIM, TeacherSpace, load_space, save_space
from embedder.training.targets import cache_image_targets, read_image_targets
from embedder.training.teachers.sound import load_sound_teacher
from embedder.training.text import (
    EncodedBank,
    held_out_captions,
    mapped,
    teach_text,
    text_shape,
)
from embedder.training.text_tuning import PairLessons, tune_text
from embedder.training.texts import TextBank, build_bank, text_targets

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """The folders of a run and what every stage reads.

    Attributes:
        data: Folder with `train/` and `val/`.
        teachers: Folder of the teachers' files.
        out: Folder of everything that is made.
        recipe: The numbers.
        items: Every item of every shard.
    """

    data: Path
    teachers: Path
    out: Path
    recipe: Recipe
    items: Sequence[ShardItem]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(sound label, image key) of what goes together."""
        return read_sound_image_pairs(self.data / "train")

    def spectrograms(self, clips: Sequence[ShardItem]) -> Spectrograms:
        """Returns the log-mels of clips, from the first call on."""
        return cached_spectrograms(clips, self.out / "targets" / "sound_mels.npz")

    def of(self, modality: Modality) -> list[ShardItem]:
        """Returns the items of one modality."""
        return [item for item in self.items if item.modality == modality]


def train(data: Path, teachers: Path, out: Path, recipe: Recipe | None = None) -> Path:
    """Trains kindred-mini and returns the path of its weights; run again, it goes on.

    Args:
        data: Folder with `train/` and `val/`, shards as `embedder.training.shards` reads them.
        teachers: Folder of the image and sound teachers' files; the text teacher is a package.
        out: Folder for caches, checkpoints, logs and the two files that ship.
        recipe: Other numbers than those the shipped weights were made with.
    """
    # One thread an operation: its sums keep their order however many cores there are and wherever
    # a run was taken up, so that two runs on one kind of CPU give the same bits. What gains by a
    # second core has its batches in `loop.Parts`, a thread each.
    torch.set_num_threads(1)
    items = [item for part in ("train", "val") for item in read_items(data / part)]
    shop = Workshop(data, teachers, out, recipe or Recipe(), items)
    bank = build_bank(items, teachers, shop.recipe.text)
    outputs = teacher_outputs(shop, bank)
    space = joint_space(shop, outputs)
    texts = EncodedBank.of(bank, shop.recipe.text)
    text = text_student(shop, outputs, space, texts)
    image = image_student(shop, outputs, space)
    audio = audio_student(shop, outputs, space)
    towers = {
        Modality.TEXT: Tower(text_shape(shop.recipe.text, DIM), text),
        Modality.IMAGE: Tower(ImageShape(DIM), image),
        Modality.AUDIO: Tower(audio.shape, audio),
    }
    weights = ship(shop, towers, texts.tokenizer, space)
    train_bridges(data, out)
    return weights


def train_bridges(data: Path, out: Path, recipe: PriorRecipe | None = None) -> Path:
    """Fits the bridges to pictures and returns the path of their file; run again, it goes on.

    Args:
        data: As for `train`.
        out: Folder of a finished run of `train`, whose vectors they are to bridge. Without one,
            they bridge those of the bundled kindred-mini.
        recipe: Other numbers than those the shipped bridges were made with.
    """
    items = [item for part in ("train", "val") for item in read_items(data / part)]
    labels = read_sound_image_pairs(data / "train")
    path = out / BUNDLED.name
    make_bridges(_embedder(out), items, labels, path, recipe or PriorRecipe())
    return path


def train_generator(
    data: Path, out: Path, device: str = "cpu", recipe: GeneratorRecipe | None = None
) -> Path:
    """Trains the generator and returns the path of its weights; run again, it goes on.

    Args:
        data: As for `train`.
        out: Folder of a finished run of `train`, whose vectors it is to listen to. Without one, it
            listens to those of the bundled kindred-mini.
        device: Where it trains, e.g. "cpu" or "cuda".
        recipe: Other numbers than those the shipped weights were made with.
    """
    items = [item for part in ("train", "val") for item in read_items(data / part)]
    return make_generator(
        items, _embedder(out), out / "generator", recipe or GeneratorRecipe(), device
    )


def _embedder(out: Path) -> Embedder:
    """Returns the kindred-mini of a run, or without one the bundled one."""
    own = out / WEIGHTS.name
    return KindredMini.load(own if own.exists() else WEIGHTS)


def teacher_outputs(shop: Workshop, bank: TextBank) -> Outputs:
    """Stage 1: what the teachers say of every item and every text."""
    targets, pictures, clips = (
        shop.out / "targets",
        shop.of(Modality.IMAGE),
        shop.of(Modality.AUDIO),
    )
    targets.mkdir(parents=True, exist_ok=True)
    logger.info(
        "teachers: %d pictures, %d sounds, %d texts", len(pictures), len(clips), len(bank.texts)
    )
    views = [
        read_image_targets(cache_image_targets(pictures, shop.teachers, targets / name, view=view))
        for view, name in enumerate(shop.recipe.views)
    ]
    teacher = load_sound_teacher(shop.teachers / "yamnet.tflite")
    heard = cached_sound_targets(shop.spectrograms(clips), teacher, targets / "sound.npz")
    sentences = Sentences(bank.texts, text_targets(bank, targets / "text.npz"))
    return Outputs(pictures, views, clips, heard, sentences)


def joint_space(shop: Workshop, outputs: Outputs) -> TeacherSpace:
    """Stage 2: the teachers' joint space."""
    path = shop.out / "space.safetensors"
    if not path.exists():
        logger.info("the teachers' joint space")
        save_space(make_space(outputs, shop.teachers, shop.pairs, shop.recipe.space), path)
    return load_space(path)


def text_student(
    shop: Workshop, outputs: Outputs, space: TeacherSpace, texts: EncodedBank
) -> TextTower:
    """Stage 3: the text tower."""
    recipe, folder, vectors = shop.recipe, shop.out / "text", outputs.sentences.vectors.numpy()
    tower = teach_text(texts, vectors, space.text_map, recipe.text, folder)
    _, pictures = known_pictures(outputs, recipe.space)
    smaller = replace(recipe.text, batch=recipe.tuning.batch)
    targets = mapped(vectors, space.text_map)
    kept = texts.lessons(targets, ~held_out_captions(texts.bank), smaller)
    lessons = PairLessons(kept, texts.rows, pictures, space)
    return tune_text(tower, lessons, recipe.tuning, folder / "tuned")


def image_student(shop: Workshop, outputs: Outputs, space: TeacherSpace) -> ImageTower:
    """Stage 4: the image tower."""
    pictures, lessons = known_pictures(outputs, shop.recipe.space)
    guidance = Guidance(pictures, lessons, space, picture_names(outputs, shop.teachers))
    return teach_image(guidance, shop.teachers, shop.recipe.image, shop.out / "image")


def audio_student(shop: Workshop, outputs: Outputs, space: TeacherSpace) -> AudioTower:
    """Stage 5: the audio tower."""
    recipe, clips = shop.recipe, shop.spectrograms(outputs.clips)
    lessons = SoundLessons(clips, outputs, space, shop.pairs)
    return teach_audio(lessons, shop.teachers, (recipe.audio, recipe.bind), shop.out / "audio")


def ship(
    shop: Workshop, towers: Mapping[Modality, Tower], tokenizer: Tokenizer, space: TeacherSpace
) -> Path:
    """Last stage: the file that ships, its geometry measured by the very code that will read it."""
    scale = float(space.logit_scale.exp())
    unmeasured = Geometry(scale, {}, {})
    path = export(shop.out, towers, tokenizer, unmeasured, shop.recipe)
    vectors = sample_vectors(KindredMini.load(path), shop)
    return export(shop.out, towers, tokenizer, measure_geometry(vectors, scale), shop.recipe)


def sample_vectors(embedder: Embedder, shop: Workshop) -> dict[Modality, Vectors]:
    """Returns vectors of some training items, and of texts that describe some others.

    Half of the texts describe pictures and half sounds, whatever the shards hold more of, since a
    question may be about either.
    """
    random = np.random.default_rng(shop.recipe.seed)
    known = [item for item in shop.items if not is_held_out(item)]
    texts: list[Text] = []
    vectors = {}
    for modality in (Modality.IMAGE, Modality.AUDIO):
        items = [item for item in known if item.modality == modality]
        order = [items[i] for i in random.permutation(len(items))]
        some = sorted(order[: shop.recipe.samples], key=lambda item: (item.shard, item.row))
        vectors[modality] = embedder.embed([decode(media) for media in read_media(some)])
        captions = [Text(item.captions[0]) for item in reversed(order) if item.captions]
        texts += captions[: shop.recipe.samples // 2]
    vectors[Modality.TEXT] = embedder.embed(texts)
    return vectors
