"""Teaches the audio tower's body to hear as YAMNet does, without a label.

The body has the teacher's widths and random weights. First each of its 27 layers learns, all in one
pass, to answer the teacher's map before it with the teacher's map after it. Then the layers run as
one chain, with a loss at every stage, on the embedding and on the class scores.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.audio_tower import ROOT_OFFSET, AudioShape, ConvUnit, make_stages, pooled
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.recipe import AudioRecipe
from embedder.training.teachers.sound import SoundTeacher
from embedder.training.windows import WindowSampler

_OVER_POSITIONS = (0, 2, 3)


class LayerStudy(nn.Module):
    """The student's layers, and how the teacher's maps before each rectifier are spread.

    A layer's scale and offset are not learnt but measured on the teacher's maps. What is left to
    learn is a correlation, channel by channel: no minimum lies behind a rectifier.
    """

    def __init__(self, stages: nn.ModuleList) -> None:
        super().__init__()
        self.stages = stages
        for index, unit in enumerate(units(stages)):
            unit.norm.requires_grad_(False)
            if unit.conv.groups > 1:
                # Normalisation takes the scale out, so a smaller start is a higher learning rate.
                unit.conv.weight.data.mul_(0.2)
            self.register_buffer(f"mean_{index}", torch.zeros(unit.conv.out_channels))
            self.register_buffer(f"variance_{index}", torch.ones(unit.conv.out_channels))

    def observe(self, index: int, mean: Tensor, variance: Tensor, step: int) -> None:
        """Follows the teacher's statistics of one layer, equally over the first hundred steps."""
        share = max(0.01, 1.0 / (step + 1))
        self.get_buffer(f"mean_{index}").lerp_(mean, share)
        self.get_buffer(f"variance_{index}").lerp_(variance, share)

    def calibrated(self) -> nn.ModuleList:
        """Returns the layers with the teacher's scales and offsets, ready to be chained."""
        for index, unit in enumerate(units(self.stages)):
            assert isinstance(unit.norm, nn.BatchNorm2d)
            unit.norm.weight.data.copy_(self.get_buffer(f"variance_{index}").sqrt())
            unit.norm.bias.data.copy_(self.get_buffer(f"mean_{index}"))
            unit.norm.requires_grad_(True)
        return self.stages


def units(stages: nn.Module) -> Iterator[ConvUnit]:
    """Yields the layers in order."""
    return (module for module in stages.modules() if isinstance(module, ConvUnit))


def teach_layers(
    teacher: SoundTeacher, windows: WindowSampler, recipe: AudioRecipe, folder: Path
) -> nn.ModuleList:
    """Returns stages, each layer of which maps the teacher's input to the teacher's output."""
    study = LayerStudy(make_stages(AudioShape(), norm=True))
    study.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(model: nn.Module, batch: Tensor, step: int) -> Losses:
        assert isinstance(model, LayerStudy)
        return _layer_losses(model, teacher, batch, step)

    numbers = LoopRecipe(
        steps=recipe.layer_steps, learning_rate=recipe.layer_rate, weight_decay=0.0, warmup=50,
        gradient_norm=1e9, ema=0.0, seed=recipe.layer_mix.seed,
    )  # fmt: skip
    train(study, windows, loss, numbers, folder)
    return study.calibrated()


def _layer_losses(study: LayerStudy, teacher: SoundTeacher, patches: Tensor, step: int) -> Losses:
    """Returns one minus the correlation with the teacher's maps, summed over the layers."""
    maps = patches[:, None].contiguous(memory_format=torch.channels_last)
    losses = []
    pairs = zip(units(study.stages), units(teacher.stages), strict=True)
    for index, (student, taught) in enumerate(pairs):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                answer = taught.linear(maps)
            some = slice(None, None, _stride(answer))
            answer_z, mean, variance = _standardised(answer[some])
            study.observe(index, mean, variance, step)
            product = student.linear(maps[some]) * answer_z
        losses.append(1.0 - product.float().mean())
        maps = functional.relu(answer)
    total = torch.stack(losses)
    return {"loss": total.sum(), "mean": total.mean(), "worst": total.max()}


def _stride(maps: Tensor) -> int:
    """Tells which of the windows are enough: a large map holds many examples of a small kernel."""
    return 4 if maps.shape[2] >= 24 else 2 if maps.shape[2] >= 12 else 1


@torch.no_grad()
def _standardised(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns maps of mean 0 and variance 1 in every channel, the means and the variances."""
    variance, mean = torch.var_mean(maps.float(), _OVER_POSITIONS, unbiased=False)
    scale = (variance + 1e-8).rsqrt()
    z = (maps - mean[:, None, None]) * scale[:, None, None]
    return z.to(maps.dtype), mean, variance


def teach_chain(
    stages: nn.ModuleList, teacher: SoundTeacher, windows: WindowSampler, recipe: AudioRecipe,
    folder: Path,
) -> nn.ModuleList:  # fmt: skip
    """Trains the stages as one chain; returns their average over the last steps."""
    frozen_from = int(recipe.chain_steps * recipe.chain_thawed)

    def loss(model: nn.Module, batch: Tensor, step: int) -> Losses:
        if step >= frozen_from:
            freeze_statistics(model)
        return _chain_losses(model, teacher, batch, recipe)

    numbers = LoopRecipe(
        steps=recipe.chain_steps, learning_rate=recipe.chain_rate, weight_decay=0.0, warmup=50,
        gradient_norm=5.0, ema=0.99, seed=recipe.chain_mix.seed,
    )  # fmt: skip
    averaged = train(stages, windows, loss, numbers, folder)
    assert isinstance(averaged, nn.ModuleList)
    return averaged


def freeze_statistics(model: nn.Module) -> None:
    """Lets batch normalisation use what it has gathered instead of the batch."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _chain_losses(
    stages: nn.Module, teacher: SoundTeacher, patches: Tensor, recipe: AudioRecipe
) -> Losses:
    assert isinstance(stages, nn.ModuleList)
    maps = patches[:, None].contiguous(memory_format=torch.channels_last)
    errors = []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            taught = teacher(patches)
        for stage, answer in zip(stages, taught.maps, strict=True):
            maps = stage(maps)
            errors.append(map_error(maps.float(), answer.float()))
    embedding, answer = pooled(maps.float()), taught.embedding.float()
    losses = {
        "maps": torch.stack(errors).mean(),
        "embedding": 1.0 - root_cosine(embedding, answer).mean(),
        "scores": _divergence(teacher.classify(embedding), teacher.classify(answer).sigmoid()),
        "last": errors[-1],
    }
    weights = (recipe.map_weight, recipe.embedding_weight, recipe.score_weight)
    total = sum(w * loss for w, loss in zip(weights, losses.values(), strict=False))
    return {"loss": torch.as_tensor(total), **losses}


def root_cosine(embedding: Tensor, answer: Tensor) -> Tensor:
    """Returns the cosines of the embeddings' square roots, row by row."""
    roots = ((embedding + ROOT_OFFSET).sqrt(), (answer + ROOT_OFFSET).sqrt())
    return functional.cosine_similarity(roots[0], roots[1])


def map_error(maps: Tensor, answer: Tensor) -> Tensor:
    """Returns the squared error in shares of each channel's power, the mean over channels."""
    power = answer.square().mean(_OVER_POSITIONS)
    error = (maps - answer).square().mean(_OVER_POSITIONS)
    # A channel that is nearly silent in this batch must not count for everything.
    return (error / (power + 0.05 * power.mean())).mean()


def _divergence(logits: Tensor, scores: Tensor) -> Tensor:
    """Returns the Kullback-Leibler divergence of independent classes, the mean over them."""
    cross = functional.binary_cross_entropy_with_logits(logits, scores)
    return cross - functional.binary_cross_entropy(scores, scores)
