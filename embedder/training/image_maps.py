"""Teaching the image trunk its teacher's maps: block by block first, then as one chain.

The student's blocks have the teacher's widths, so each convolution's output can be compared with
the teacher's (after the batch norm, before the activation: behind a ReLU6 a filter of the wrong
sign gets no gradient).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from embedder.training.image_recipe import ImageMapsRecipe
from embedder.training.loop import Losses, Parts
from embedder.training.shards import ShardItem, read_media
from embedder.training.teachers.image import (
    FoldedConv,
    ImageTeachers,
    Maps,
    MobileNetV2,
    as_quantised,
)
from embedder.training.views import Pictures
from embedder.training.whitening import whiten

Unit = tuple[nn.Conv2d, nn.BatchNorm2d]
"""A convolution and its batch norm."""


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """One over the spread of each channel of the teacher's maps, each (1, channels, 1, 1).

    Attributes:
        stem: Of the first convolution's map.
        hidden: Per block and convolution.
        last: Of the last convolution's map.
        pooled: Of the pooled feature, (1, 1280).
    """

    stem: Tensor
    hidden: list[list[Tensor]]
    last: Tensor
    pooled: Tensor


def measure_scales(maps: Maps) -> Scales:
    """Measures the spread of each channel of the teacher's maps of a sample of pictures."""
    return Scales(
        _inverse_deviation(maps.stem),
        [[_inverse_deviation(m) for m in block] for block in maps.hidden],
        _inverse_deviation(maps.last),
        _inverse_deviation(maps.pooled[:, :, None, None])[:, :, 0, 0],
    )


def _inverse_deviation(maps: Tensor) -> Tensor:
    variance = maps.float().var((0, 2, 3), keepdim=True)
    # A channel that hardly moves must not dominate: none counts as less than a tenth of the mean.
    return (variance + 0.1 * variance.mean()).rsqrt()


@torch.no_grad()
def fit_start(student: MobileNetV2, x: Tensor, maps: Maps) -> None:
    """Gives random filters the mean and spread that the teacher's have on a sample of pictures.

    It stands in for the batch norm that is not there while the trunk learns in its folded form:
    what a filter looks for stays random, how strongly it answers does not.

    Args:
        student: Changed in place.
        x: The sample, (n, 3, h, w) in [-1, 1].
        maps: The teacher's maps of it.
    """
    for convolution, read, answer in readings(student, x, maps):
        convolution.center.copy_(read.mean((0, 2, 3)))
        deviation, mean = torch.std_mean(answer, (0, 2, 3))
        gain = deviation / (convolution(read).std((0, 2, 3)) + 1e-6)
        convolution.weight.mul_(gain[:, None, None, None])
        convolution.bias.copy_(mean)


def whiten_layers(student: MobileNetV2, x: Tensor, maps: Maps) -> None:
    """Puts the student into white coordinates, without changing what it does."""
    for convolution, read, answer in readings(student, x, maps):
        whiten(convolution, read, answer)


def readings(
    student: MobileNetV2, x: Tensor, maps: Maps
) -> Iterator[tuple[FoldedConv, Tensor, Tensor]]:
    """Yields each convolution of the student, and what the teacher's reads and answers there."""
    reads = [x]
    for block, inner in zip(maps.blocks[:-1], maps.hidden, strict=True):
        reads += [block, *(functional.relu6(m) for m in inner[:-1])]
    reads.append(maps.blocks[-1])
    answers = [maps.stem, *chain(*maps.hidden), maps.last]
    yield from zip(student.convolutions(), reads, answers, strict=True)


class _MapError(torch.autograd.Function):
    """Mean of ((student - teacher) * scale)^2 that keeps one map for its gradient, not four."""

    @staticmethod
    def forward(ctx: FunctionCtx, student: Tensor, teacher: Tensor, scale: Tensor) -> Tensor:
        error = (student - teacher).mul_(scale)
        ctx.save_for_backward(error.mul(scale))
        mean: Tensor = torch.linalg.vector_norm(error).float().square() / error.numel()
        return mean

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (error,) = ctx.saved_tensors  # type: ignore[attr-defined]
        slope: Tensor = error * (gradient * (2.0 / error.numel())).to(error.dtype)
        return slope, None, None


def map_error(student: Tensor, teacher: Tensor, scale: Tensor) -> Tensor:
    """Returns the mean squared error in the teacher's variances: 0 is perfect, 1 the mean alone."""
    like = (student, teacher.to(student.dtype), scale.to(student.dtype))
    error: Tensor = _MapError.apply(*like)  # type: ignore[no-untyped-call]
    return error


def trunk_units(trunk: nn.Module) -> list[Unit]:
    """Returns a timm trunk's convolutions, each with its batch norm, in order."""
    names = [("conv_stem", "bn1")]
    for block, module in trunk.named_modules():
        if hasattr(module, "conv_pwl"):
            inner = [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")]
        elif hasattr(module, "conv_dw"):  # the first block, which does not expand
            inner = [("conv_dw", "bn1"), ("conv_pw", "bn2")]
        else:
            continue
        names += [(f"{block}.{convolution}", f"{block}.{norm}") for convolution, norm in inner]
    names.append(("conv_head", "bn2"))
    return [
        (cast("nn.Conv2d", trunk.get_submodule(c)), cast("nn.BatchNorm2d", trunk.get_submodule(n)))
        for c, n in names
    ]


@torch.no_grad()
def folded(trunk: nn.Module) -> MobileNetV2:
    """Returns a copy of a timm trunk with its batch norms folded into the convolutions."""
    convolutions = []
    for convolution, norm in trunk_units(trunk):
        mean, variance = cast("Tensor", norm.running_mean), cast("Tensor", norm.running_var)
        gain = norm.weight / (variance + norm.eps).sqrt()
        weight = convolution.weight * gain[:, None, None, None]
        stride = int(convolution.stride[0])
        convolutions.append(FoldedConv(weight, norm.bias - mean * gain, stride, convolution.groups))
    network = MobileNetV2(convolutions)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@torch.no_grad()
def unfold(student: MobileNetV2, trunk: nn.Module) -> None:
    """Writes a folded network into a timm trunk, whose batch norms become plain offsets."""
    for mine, (convolution, norm) in zip(student.convolutions(), trunk_units(trunk), strict=True):
        kernel, bias = mine.plain()
        convolution.weight.copy_(kernel)
        cast("Tensor", norm.running_mean).zero_()
        cast("Tensor", norm.running_var).fill_(1.0 - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.copy_(bias)


@dataclass(frozen=True, slots=True, eq=False)
class MapLoss:
    """How far the student's maps are from the teacher's.

    Attributes:
        scales: From `measure_scales`.
        hidden_weight: Weight of the maps inside a block, beside 1 for the map at its end.
    """

    scales: Scales
    hidden_weight: float

    def __call__(self, student: Maps, teacher: Maps) -> dict[str, Tensor]:
        """Returns the mean errors at block ends and inside, and their weighted sum ("maps")."""
        scales = self.scales
        ends = [map_error(student.stem, teacher.stem, scales.stem)]
        ends += [map_error(student.last, teacher.last, scales.last)]
        inside = []
        for mine, theirs, scale in zip(student.hidden, teacher.hidden, scales.hidden, strict=True):
            errors = [map_error(*maps) for maps in zip(mine, theirs, scale, strict=True)]
            inside += errors[:-1]
            ends.append(errors[-1])
        end, hidden = torch.stack(ends).mean(), torch.stack(inside).mean()
        return {"maps": end + self.hidden_weight * hidden, "ends": end, "hidden": hidden}


class MapLesson:
    """Views of training pictures, and how far the student's maps of them are from the teacher's."""

    def __init__(
        self,
        items: Sequence[ShardItem],
        teachers: ImageTeachers,
        recipe: ImageMapsRecipe,
    ) -> None:
        self.teachers, self.recipe = teachers, recipe
        self.pictures = Pictures(list(read_media(items)), seed=recipe.loop.seed)
        indices = self.pictures.indices(0, recipe.sample)
        self.sample = self.pictures.views(indices, 0, recipe.view)
        self.scales = measure_scales(self.taught(self.sample))
        self.errors = MapLoss(self.scales, recipe.hidden_weight)

    def batch(self, step: int) -> Parts[Tensor]:
        """Returns a step's views, a part for each thread."""
        recipe = self.recipe
        indices = self.pictures.indices(step, recipe.part * recipe.parts)
        views = self.pictures.views(indices, step, recipe.view)
        return Parts(torch.split(views, recipe.part))

    def layer_loss(self, student: nn.Module, x: Tensor, _step: int) -> Losses:
        """Every convolution reads the teacher's map."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            taught = self.taught(x)
            maps: Maps = student(x, taught)
            losses = self.errors(maps, taught)
        return {"loss": losses["maps"]} | losses

    def chain_loss(self, student: nn.Module, x: Tensor, _step: int) -> Losses:
        """Every block reads what the one before it made."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            taught = self.taught(x)
            maps: Maps = student(x)
            losses = self.errors(maps, taught)
        mine, theirs = maps.pooled.float(), taught.pooled.float()
        pooled = ((mine - theirs) * self.scales.pooled).square().mean()
        logits = functional.kl_div(
            self.teachers.logits(mine).log_softmax(1),
            self.teachers.logits(theirs).log_softmax(1),
            log_target=True,
            reduction="batchmean",
        )
        recipe = self.recipe
        loss = losses["maps"] + recipe.pooled_weight * pooled + recipe.logit_weight * logits
        cosine = functional.cosine_similarity(mine, theirs).mean()
        return {"loss": loss, "pooled": pooled, "logits": logits, "cosine": cosine} | losses

    @torch.no_grad()
    def taught(self, x: Tensor) -> Maps:
        """Returns the teacher's maps."""
        maps: Maps = self.teachers.v2(as_quantised(x))
        return maps
