"""Teaches the audio tower's body to hear as YAMNet does, without a label.

The body has the teacher's widths and random weights. First each of its 27 layers learns, all in one
pass, to answer the teacher's map before it with the teacher's map after it. Then the layers run as
one chain, with a loss at every stage, on the embedding and on the class scores.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.audio_tower import (
    EPSILON,
    ROOT_OFFSET,
    AudioShape,
    ConvUnit,
    make_stages,
    pooled,
)
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.recipe import AudioRecipe
from embedder.training.teachers.sound import SoundTeacher
from embedder.training.windows import WindowSampler

_OVER_POSITIONS = (0, 2, 3)


def units(stages: nn.Module) -> Iterator[ConvUnit]:
    """Yields the layers in order."""
    return (module for module in stages.modules() if isinstance(module, ConvUnit))


def teach_layers(
    teacher: SoundTeacher, windows: WindowSampler, recipe: AudioRecipe, folder: Path
) -> nn.ModuleList:
    """Returns stages, each layer of which maps the teacher's input to the teacher's output.

    A layer learns a correlation, channel by channel, so no minimum lies behind a rectifier; scale and
    offset are fitted at the end.
    """
    stages = make_stages(AudioShape(), norm=True)
    stages.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for unit in units(stages):
        unit.norm.requires_grad_(False)
        if unit.conv.groups > 1:
            # Normalisation takes the scale out, so a smaller start is a higher learning rate.
            unit.conv.weight.data.mul_(0.2)

    def loss(model: nn.Module, batch: Tensor, _step: int) -> Losses:
        pairs = _answers(model, teacher, batch)
        losses = [
            1.0 - (unit.linear(maps) * _standardised(answer)).mean() for unit, maps, answer in pairs
        ]
        total = torch.stack(losses)
        return {"loss": total.sum(), "mean": total.mean(), "worst": total.max()}

    numbers = LoopRecipe(
        steps=recipe.layer_steps, learning_rate=recipe.layer_rate, weight_decay=0.0, warmup=50,
        gradient_norm=1e9, ema=0.0, seed=recipe.layer_mix.seed,
    )  # fmt: skip
    train(stages, windows, loss, numbers, folder)
    batches = [windows(recipe.layer_steps + i) for i in range(recipe.fit_steps)]
    teach_stem(stages, teacher, batches[0])
    fit_norms(stages, teacher, batches)
    return stages


def teach_stem(stages: nn.ModuleList, teacher: SoundTeacher, patches: Tensor) -> None:
    """Finishes the first layer by a quasi-Newton method.

    It reads a smooth spectrogram, whose neighbouring cells are so alike that plain gradients crawl: they
    leave an error of 4 % there, which every later layer would inherit.
    """
    stem, maps = next(units(stages)), patches[:, None]
    with torch.no_grad():
        answer = _standardised(next(units(teacher.stages)).linear(maps))
    optimiser = torch.optim.LBFGS(
        stem.conv.parameters(), max_iter=150, history_size=30, tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def error() -> Tensor:
        optimiser.zero_grad()
        loss = (1.0 - (stem.linear(maps) * answer).mean(_OVER_POSITIONS)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    stem.train()
    optimiser.step(error)  # type: ignore[arg-type]


@torch.no_grad()
def fit_norms(stages: nn.ModuleList, teacher: SoundTeacher, batches: Sequence[Tensor]) -> None:
    """Sets each layer's normalisation so that the layer predicts the teacher's with least squares."""
    sums = [torch.zeros(5, unit.conv.out_channels, dtype=torch.float64) for unit in units(stages)]
    for batch in batches:
        for total, (unit, maps, answer) in zip(sums, _answers(stages, teacher, batch), strict=True):
            x, y = unit.convolved(maps).double(), answer.double()
            moments = (torch.ones_like(x), x, y, x * x, x * y)
            total += torch.stack([m.sum(_OVER_POSITIONS) for m in moments])
    for total, unit in zip(sums, units(stages), strict=True):
        x, y, xx, xy = total[1:] / total[0]
        variance = xx - x * x
        norm = unit.norm
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(x)
        norm.running_var.copy_(variance)
        norm.weight.copy_((xy - x * y) / (variance + norm.eps).sqrt())
        norm.bias.copy_(y)
        norm.requires_grad_(True)


def _answers(
    stages: nn.Module, teacher: SoundTeacher, patches: Tensor
) -> Iterator[tuple[ConvUnit, Tensor, Tensor]]:
    """Yields each layer, the teacher's map before it, and the teacher's before its rectifier."""
    maps = patches[:, None].contiguous(memory_format=torch.channels_last)
    for unit, taught in zip(units(stages), units(teacher.stages), strict=True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                answer = taught.linear(maps)
            some = slice(None, None, _stride(answer))
            yield unit, maps[some], answer[some]
        maps = functional.relu(answer)


def _stride(maps: Tensor) -> int:
    """Tells which of the windows are enough: a large map holds many examples of a small kernel."""
    return 4 if maps.shape[2] >= 24 else 2 if maps.shape[2] >= 12 else 1


@torch.no_grad()
def _standardised(maps: Tensor) -> Tensor:
    """Returns maps of mean 0 and variance 1 in every channel."""
    variance, mean = torch.var_mean(maps.float(), _OVER_POSITIONS, unbiased=False)
    scale = (variance + EPSILON).rsqrt()
    return ((maps - mean[:, None, None]) * scale[:, None, None]).to(maps.dtype)


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
            for stage in stages[: recipe.chain_kept]:
                maps = stage.eval()(maps)
        for stage, answer in list(zip(stages, taught.maps, strict=True))[recipe.chain_kept :]:
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
