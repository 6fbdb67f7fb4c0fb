"""Teaches the generator to show what a picture's vector says, from pictures and vectors alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.base import Embedder, EmbeddingSpace
from embedder.conditioning.generator.flow import Flow
from embedder.conditioning.generator.network import Heard, Network
from embedder.conditioning.generator.waves import deviations, pooled
from embedder.conditioning.generator.weights import NAME, GeneratorFile
from embedder.training.export import recipe_digest
from embedder.training.generator_photos import Photos, cached_photos
from embedder.training.generator_recipe import GeneratorRecipe, GeneratorStage
from embedder.training.loop import Losses, Parts, Stopped, train
from embedder.training.shards import ShardItem, is_held_out


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What a step trains on.

    Attributes:
        pictures: In [-1, 1], (n, 3, size, size).
        noise: Where the path begins, of the same shape.
        times: Where on the path, (n,).
        heard: What the network is told of the pictures.
    """

    pictures: Tensor
    noise: Tensor
    times: Tensor
    heard: Heard

    def parts(self, count: int) -> "Parts[Lesson]":
        """Returns the lesson in parts of equal size, for as many threads."""
        heard = self.heard
        every = (self.pictures, self.noise, self.times, heard.vectors, heard.levels, heard.known)
        split = zip(*(tensor.chunk(count) for tensor in every), strict=True)
        return Parts(Lesson(x, e, t, Heard(*told)) for x, e, t, *told in split)


class Lessons:
    """Deals out what each step of a stage trains on, from the step's number alone."""

    def __init__(
        self, photos: Photos, sets: Sequence[str], recipe: GeneratorRecipe, stage: GeneratorStage
    ) -> None:
        self.photos, self.recipe, self.stage = photos, recipe, stage
        self.shares = shares(sets, recipe.balance)

    def __call__(self, step: int) -> Lesson:
        """Returns the lesson of a step."""
        recipe, stage, count = self.recipe, self.stage, self.stage.batch
        rng = np.random.default_rng([recipe.seed, stage.size, step])
        rows = rng.choice(len(self.photos), count, p=self.shares)
        pictures = as_pictures(self.photos.pixels[rows], stage.size)
        mirrored = torch.from_numpy(rng.random(count) < 0.5).view(-1, 1, 1, 1)
        normal = torch.from_numpy(rng.normal(*stage.time, count).astype(np.float32))
        noise = rng.standard_normal(tuple(pictures.shape), dtype=np.float32)
        return Lesson(
            torch.where(mirrored, pictures.flip(3), pictures),
            torch.from_numpy(noise),
            torch.sigmoid(normal),
            self._heard(rows, rng),
        )

    def _heard(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Heard:
        recipe, vectors = self.recipe, self.photos.vectors[rows]
        levels = recipe.noise * rng.random(len(rows)) * (rng.random(len(rows)) >= recipe.exact)
        noise = rng.standard_normal(vectors.shape) / np.sqrt(vectors.shape[1])
        noisy = vectors + levels[:, None] * noise
        noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
        told = (noisy, levels, rng.random(len(rows)) >= recipe.dropout)
        return Heard(*(torch.from_numpy(array.astype(np.float32)) for array in told))


def make_generator(
    items: Sequence[ShardItem],
    embedder: Embedder,
    out: Path,
    recipe: GeneratorRecipe,
    device: str = "cpu",
) -> Path:
    """Makes kindred-demo and returns the path of its weights; run again, it goes on.

    Args:
        items: Of training shards; pictures that are not held out are trained on.
        embedder: Whose vectors it is to listen to.
        out: Folder for the pictures' cache, checkpoints, logs and the weights.
        recipe: The numbers.
        device: Where it trains.

    Raises:
        Stopped: If SIGINT or SIGTERM arrived; the checkpoint, and weights of it, are saved first.
    """
    known = [item for item in items if item.modality == "image" and not is_held_out(item)]
    photos = cached_photos(known, embedder, recipe.shape.size, out / "photos.npz")

    def save() -> Path:
        return as_it_is(out, recipe, embedder.space).save(out / f"{NAME}.safetensors")

    try:
        teach_generator(photos, [item.dataset for item in known], recipe, (out, device))
    except Stopped:
        save()
        raise
    return save()


def teach_generator(
    photos: Photos, sets: Sequence[str], recipe: GeneratorRecipe, where: tuple[Path, str]
) -> Network:
    """Trains the generator, or goes on where its checkpoint stopped.

    Args:
        photos: Pictures and their vectors, none of them held out.
        sets: Which data set each picture is of.
        recipe: The numbers.
        where: Folder in which each stage keeps its checkpoint and log, in one of its size; device.

    Returns:
        The averaged network.
    """
    folder, device = where
    torch.manual_seed(recipe.seed)
    network = Network(recipe.shape)
    network.condition.listen_to(torch.from_numpy(photos.vectors))
    sample = np.random.default_rng(recipe.seed).permutation(len(photos))[: recipe.sample]
    network.spectrum.copy_(deviations(as_pictures(photos.pixels[sample], recipe.shape.size)))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(model: nn.Module, lesson: Lesson, _step: int) -> Losses:
        return {"loss": flow_loss(cast(Network, model), lesson)}

    torch.set_num_threads(1)  # each part of a batch has a thread of its own
    parts = recipe.parts if device == "cpu" else 1
    for stage in recipe.stages:
        lessons = Lessons(photos, sets, recipe, stage)
        batches = partial(_in_parts, lessons, parts)
        network = train(network, batches, loss, stage.loop, stage.folder(folder))
    return network


def _in_parts(lessons: Lessons, parts: int, step: int) -> Parts[Lesson]:
    return lessons(step).parts(parts)


def as_it_is(folder: Path, recipe: GeneratorRecipe, space: EmbeddingSpace) -> GeneratorFile:
    """Returns the generator of the last checkpoint, finished or not, of its stage's size.

    Args:
        folder: What `make_generator` was given.
        recipe: Likewise.
        space: Of the vectors it was trained on.

    Raises:
        FileNotFoundError: If there is no checkpoint yet.
    """
    paths = {stage: stage.folder(folder) / "checkpoint.pt" for stage in recipe.stages}
    begun = [stage for stage, path in paths.items() if path.exists()]
    if not begun:
        raise FileNotFoundError(f"a generator must have a checkpoint, got none in {folder}")
    *before, last = begun
    state = torch.load(paths[last], weights_only=True, map_location="cpu")
    steps = sum(stage.loop.steps for stage in before) + state["step"]
    shape = replace(recipe.shape, size=last.size)
    network = Network(recipe.shape)
    network.load_state_dict(state["averaged"])
    tensors = {name: t.numpy() for name, t in network.resized(last.size).state_dict().items()}
    return GeneratorFile(shape, space.id, recipe_digest(recipe), steps, tensors)


def flow_loss(network: Network, lesson: Lesson) -> Tensor:
    """Returns the mean squared error of the velocity, on the network's own device in bfloat16."""
    device = network.spectrum.device
    x, e = lesson.pictures.to(device), lesson.noise.to(device)
    times = lesson.times.to(device)
    t = times.view(-1, 1, 1, 1)

    def half(points: Tensor, times: Tensor, heard: Heard) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            return cast(Tensor, network(points, times, heard))

    flow = Flow(half, pooled(network.spectrum, x.shape[-1]))
    found = flow.velocity(t * x + (1.0 - t) * e, times, lesson.heard.to(device))
    return functional.mse_loss(found, x - e)


def shares(sets: Sequence[str], balance: float) -> NDArray[np.float64]:
    """Returns how often each picture is drawn: its set's count to the power of `balance`, shared.

    Args:
        sets: Which data set each picture is of.
        balance: 1 draws all pictures alike, 0 all sets alike.
    """
    _, inverse, counts = np.unique(np.array(sets), return_inverse=True, return_counts=True)
    weights = (counts.astype(np.float64) ** (balance - 1.0))[inverse]
    return np.asarray(weights / weights.sum())


def as_pictures(pixels: NDArray[np.uint8], size: int) -> Tensor:
    """Maps uint8 (n, side, side, 3) to [-1, 1], (n, 3, size, size), by means of whole squares."""
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return functional.avg_pool2d(planes, pixels.shape[1] // size)
