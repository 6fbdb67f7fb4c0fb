"""Each layer of the audio body learns alone, from the teacher's map before it to the one after it.

Layers that learn alone learn fast: 300 steps leave errors of a fraction of a percent. What they
can't learn that way, `teach_stem` and `fit_norms` find.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.audio_tower import EPSILON, AudioShape, ConvUnit, conv_units, make_stages
from embedder.training.audio_recipe import AudioRecipe
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.teachers.sound import SoundTeacher
from embedder.training.windows import WindowSampler

_OVER_POSITIONS = (0, 2, 3)


def teach_layers(
    teacher: SoundTeacher, windows: WindowSampler, recipe: AudioRecipe, folder: Path
) -> nn.ModuleList:
    """Returns stages, each layer of which maps the teacher's input to the teacher's output.

    A layer learns a correlation, channel by channel, so no minimum lies behind a rectifier; scale
    and offset are fitted at the end.
    """
    torch.manual_seed(recipe.layer_mix.seed)
    stages = make_stages(AudioShape(), norm=True)
    stages.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for unit in conv_units(stages):
        unit.norm.requires_grad_(False)
        if unit.conv.groups > 1:
            # Normalisation takes the scale out, so a smaller start is a higher learning rate.
            unit.conv.weight.data.mul_(0.2)

    def loss(model: nn.Module, batch: Tensor, _step: int) -> Losses:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answers = _answers(model, teacher, batch)
            losses = torch.stack(
                [1.0 - (u.linear(x) * _standardised(y)).mean() for u, x, y in answers]
            )
        return {"loss": losses.sum(), "mean": losses.mean(), "worst": losses.max()}

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

    It reads a smooth spectrogram, whose neighbouring cells are so alike that plain gradients crawl:
    they leave an error of 4 % there, which every later layer would inherit.
    """
    stem, maps = conv_units(stages)[0], patches[:, None]
    with torch.no_grad():
        answer = _standardised(conv_units(teacher.stages)[0].linear(maps))
    optimiser = torch.optim.LBFGS(
        stem.conv.parameters(), max_iter=150, history_size=30, tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def error() -> Tensor:
        optimiser.zero_grad()
        loss: Tensor = (1.0 - (stem.linear(maps) * answer).mean(_OVER_POSITIONS)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    stem.train()
    optimiser.step(error)  # type: ignore[no-untyped-call]


@torch.no_grad()
def fit_norms(stages: nn.ModuleList, teacher: SoundTeacher, batches: Sequence[Tensor]) -> None:
    """Sets each layer's normalisation to predict the teacher's map with least squares."""
    sums = [
        torch.zeros(5, unit.conv.out_channels, dtype=torch.float64) for unit in conv_units(stages)
    ]
    for batch in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pairs = [(u.convolved(x), y) for u, x, y in _answers(stages, teacher, batch)]
        for total, (x, y) in zip(sums, [(x.double(), y.double()) for x, y in pairs], strict=True):
            moments = (torch.ones_like(x), x, y, x * x, x * y)
            total += torch.stack([m.sum(_OVER_POSITIONS) for m in moments])
    for total, unit in zip(sums, conv_units(stages), strict=True):
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
    for unit, taught in zip(conv_units(stages), conv_units(teacher.stages), strict=True):
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
