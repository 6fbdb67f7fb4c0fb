"""The audio tower's training: to hear as YAMNet does, without a label, and then to be bound.

The body has the teacher's widths and random weights. Each of its 27 layers learns alone first; then
they run as one chain, with a loss at every stage, on the embedding and on the class scores. The
head binds what the body hears to texts and pictures. `teach_audio` runs every stage; each has a
folder of its own and takes up where it left off.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.audio_tower import ROOT_OFFSET, AudioShape, AudioTower, make_stages, pooled
from embedder.training.anchors import make_anchors, make_hearings
from embedder.training.audio_layers import teach_layers
from embedder.training.audio_recipe import AudioRecipe, BindRecipe, ChainRecipe
from embedder.training.audio_student import assemble, load_audio_student, save_audio_student
from embedder.training.binding import bind
from embedder.training.hearing import hear
from embedder.training.joint import Outputs
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.shards import is_held_out
from embedder.training.sound_targets import Spectrograms
from embedder.training.space import TeacherSpace
from embedder.training.teachers.sound import SoundTeacher, load_sound_teacher
from embedder.training.texts import sound_names
from embedder.training.windows import WindowSampler

_OVER_POSITIONS = (0, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class SoundLessons:
    """What the audio tower is taught from.

    Attributes:
        clips: Log-mels of every clip, in the order of `outputs.clips`.
        outputs: The teachers' outputs.
        space: The teachers' joint space.
        pairs: (sound label, image key): what goes together.
    """

    clips: Spectrograms
    outputs: Outputs
    space: TeacherSpace
    pairs: list[tuple[str, str]]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which clips are not held out, (clips,)."""
        return np.array([not is_held_out(item) for item in self.outputs.clips])


def teach_audio(
    lessons: SoundLessons,
    teachers: Path,
    recipes: tuple[AudioRecipe, BindRecipe],
    folder: Path,
) -> AudioTower:
    """Returns the audio tower, trained; run again, it goes on where it was.

    Args:
        lessons: The clips and where they belong.
        teachers: Folder of the sound teacher's files.
        recipes: The numbers of the body and of the head.
        folder: Of checkpoints, logs and `student.pt`.
    """
    student = folder / "student.pt"
    if not student.exists():
        stages = teach_body(lessons, teachers, recipes[0], folder)
        features = hear(stages, lessons.clips.only(lessons.known))
        names = sound_names(teachers)
        anchors = make_anchors(lessons.outputs, lessons.space, names, lessons.pairs, recipes[1])
        head = bind(make_hearings(features, lessons.outputs, recipes[1]), anchors, recipes[1])
        save_audio_student(assemble(stages, head, AudioShape()), student)
    return load_audio_student(student)


def teach_body(
    lessons: SoundLessons, teachers: Path, recipe: AudioRecipe, folder: Path
) -> nn.ModuleList:
    """Returns stages that hear as the teacher does, kept in `body.pt`."""
    kept = folder / "body.pt"
    stages = make_stages(AudioShape(), norm=True)
    if kept.exists():
        stages.load_state_dict(torch.load(kept, weights_only=True))
        return stages
    teacher = load_sound_teacher(teachers / "yamnet.tflite")
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    windows = WindowSampler.over(lessons.clips, lessons.known, recipe.layer_mix)
    stages = teach_layers(teacher, windows, recipe, folder / "layers")
    for part, chain in enumerate(recipe.chains):
        windows = WindowSampler.over(lessons.clips, lessons.known, chain.mix)
        stages = teach_chain(stages, teacher, windows, chain, folder / f"chain-{part}")
    torch.save(stages.state_dict(), kept)
    return stages


def teach_chain(
    stages: nn.ModuleList,
    teacher: SoundTeacher,
    windows: WindowSampler,
    recipe: ChainRecipe,
    folder: Path,
) -> nn.ModuleList:
    """Trains the stages as one chain; returns their average over the last steps."""

    def loss(model: nn.Module, batch: Tensor, _step: int) -> Losses:
        assert isinstance(model, nn.ModuleList)
        # Batches differ so much that, normalised by their own statistics, the chain can't follow a
        # teacher that stands still; those fitted on the teacher's maps stay.
        return _chain_losses(model.eval(), teacher, batch, recipe)

    numbers = LoopRecipe(
        steps=recipe.steps, learning_rate=recipe.rate, weight_decay=0.0, warmup=50,
        gradient_norm=5.0, ema=0.99, seed=recipe.mix.seed,
    )  # fmt: skip
    return train(stages, windows, loss, numbers, folder)


def _chain_losses(
    stages: nn.ModuleList, teacher: SoundTeacher, patches: Tensor, recipe: ChainRecipe
) -> Losses:
    maps = patches[:, None].contiguous(memory_format=torch.channels_last)
    errors = []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            taught = teacher(patches)
            for stage in stages[: recipe.kept]:
                maps = stage(maps)
        pairs = list(zip(stages, taught.maps, strict=True))
        for stage, answer in pairs[recipe.kept :]:
            maps = stage(maps)
            errors.append(map_error(maps.float(), answer.float()))
    embedding, answer = pooled(maps.float()), taught.embedding.float()
    losses = {
        "maps": torch.stack(errors).mean(),
        "embedding": 1.0 - root_cosine(embedding, answer).mean(),
        "scores": _divergence(teacher.classify(embedding), teacher.classify(answer).sigmoid()),
    }
    weights = torch.tensor([recipe.map_weight, recipe.embedding_weight, recipe.score_weight])
    return {"loss": weights @ torch.stack([*losses.values()]), **losses}


def map_error(maps: Tensor, answer: Tensor) -> Tensor:
    """Returns the squared error in shares of each channel's power, the mean over channels."""
    power = answer.square().mean(_OVER_POSITIONS)
    error = (maps - answer).square().mean(_OVER_POSITIONS)
    # A channel that is nearly silent in this batch must not count for everything.
    return (error / (power + 0.05 * power.mean())).mean()


def root_cosine(embedding: Tensor, answer: Tensor) -> Tensor:
    """Returns the cosines of the embeddings' square roots, row by row."""
    roots = ((embedding + ROOT_OFFSET).sqrt(), (answer + ROOT_OFFSET).sqrt())
    return functional.cosine_similarity(roots[0], roots[1])


def _divergence(logits: Tensor, scores: Tensor) -> Tensor:
    """Returns the Kullback-Leibler divergence of independent classes, the mean over them."""
    cross = functional.binary_cross_entropy_with_logits(logits, scores)
    return cross - functional.binary_cross_entropy(scores, scores)
