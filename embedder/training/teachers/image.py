"""The image teachers: quantised MobileNet V1 and V2 classifiers, run in float32.

A teacher is read from its TensorFlow Lite file while training; nothing that is shipped needs it.
Running the dequantised weights in float32 torch is what makes the maps inside the network readable,
and lets a teacher look at crops of any size.

Sources: MobileNets, arXiv:1704.04861; MobileNetV2, arXiv:1801.04381.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.errors import WeightsError

V1_FILE = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
V2_FILE = "mobilenet_v2_1.0_224_quant.tflite"

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What a MobileNetV2 sees on its way; every map is (n, channels, h, w).

    Attributes:
        stem: The first convolution's map, before its ReLU6.
        hidden: Per block, the maps of its convolutions before any activation or sum.
        blocks: What each block reads, and at the end what the last block puts out.
        last: The last convolution's map, before its ReLU6.
    """

    stem: Tensor
    hidden: list[list[Tensor]]
    blocks: list[Tensor]
    last: Tensor

    @property
    def pooled(self) -> Tensor:
        """The mean of the last map after its ReLU6, (n, 1280)."""
        return functional.relu6(self.last).mean((2, 3))


class FoldedConv(nn.Module):
    """A convolution with its batch norm folded in, padded as TensorFlow's "SAME" is.

    Attributes:
        weight: The kernel, (out, in / groups, k, k), or its coordinates where `basis` and `gain`
            are set.
        bias: What comes out where the input is `center`.
        center: A fixed point to look from: learning is quicker around the inputs' mean than around
            zero, which a ReLU6 never centres on.
        basis: None, or fixed coordinates of the inputs, a matrix or its diagonal for each group;
            see `embedder.training.whitening`.
        gain: None, or a fixed factor of each output channel.
    """

    center: Tensor
    basis: Tensor | None
    gain: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias)
        self.register_buffer("center", torch.zeros(weight.shape[1] * groups))
        self.register_buffer("basis", None)
        self.register_buffer("gain", None)
        self.stride, self.groups = stride, groups

    def plain(self) -> tuple[Tensor, Tensor]:
        """Returns the plain kernel, and the plain bias: what comes out where the input is zero."""
        kernel: Tensor = self.weight
        with torch.autocast("cpu", enabled=False):
            if self.basis is not None and self.gain is not None:
                rows = kernel.reshape(len(self.basis), -1, self.basis.shape[-1])
                rows = rows @ self.basis if self.basis.ndim == 3 else rows * self.basis[:, None]
                kernel = rows.reshape(kernel.shape) * self.gain[:, None, None, None]
            mass = kernel.sum((2, 3))
            lift = mass[:, 0] * self.center if self.groups > 1 else mass @ self.center
        return kernel, self.bias - lift

    def forward(self, x: Tensor) -> Tensor:
        """Returns the map before any activation."""
        if self.weight.shape[-1] == 1:
            return functional.conv2d(x, *self.plain())
        # The gradient of an edge filter is a small difference of large sums: bfloat16 would round
        # it away.
        with torch.autocast("cpu", enabled=not self.training and torch.is_autocast_enabled("cpu")):
            return self._spatial(x.float() if self.training else x).to(x.dtype)

    def _spatial(self, x: Tensor) -> Tensor:
        (kernel, bias), size = self.plain(), self.weight.shape[-1]
        if self.stride == 1 or (self.groups > 1 and self.training):
            y = functional.conv2d(x, kernel, bias, padding=size // 2, groups=self.groups)
            # Every second place of stride 1 is what "SAME" at stride 2 keeps; oneDNN's gradient of
            # a strided depthwise convolution takes three times as long as this detour.
            first = [(side + 1) % self.stride for side in x.shape[2:]]
            return y if self.stride == 1 else y[:, :, first[0] :: 2, first[1] :: 2]
        sides = (same_padding(side, size, self.stride) for side in (x.shape[3], x.shape[2]))
        x = functional.pad(x, [side for pair in sides for side in pair])
        return functional.conv2d(x, kernel, bias, self.stride, groups=self.groups)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Returns the (before, after) padding of TensorFlow's "SAME": the odd one comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class MobileNetV1(nn.Module):
    """MobileNetV1 up to its pooled feature."""

    def __init__(self, convolutions: Sequence[FoldedConv]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, x: Tensor) -> Tensor:
        """Returns pooled features (n, 1024) of images (n, 3, h, w)."""
        for convolution in self.convolutions:
            x = functional.relu6(convolution(x))
        return x.mean((2, 3))


class MobileNetV2(nn.Module):
    """MobileNetV2 with every map readable: the teacher, and the student's trunk as it learns."""

    def __init__(self, convolutions: Sequence[FoldedConv]) -> None:
        super().__init__()
        stem, *body, last = convolutions
        self.stem, self.last = stem, last
        # The first block has no expansion: two convolutions; the sixteen others have three.
        groups = [body[:2]] + [body[i : i + 3] for i in range(2, len(body), 3)]
        self.blocks = nn.ModuleList(nn.ModuleList(group) for group in groups)

    def forward(self, x: Tensor, read: Maps | None = None) -> Maps:
        """Returns the maps of images (n, 3, h, w).

        Args:
            x: The images.
            read: If given, every convolution reads that network's map at its place instead of the
                one before it, so that all learn at once and no error is passed on.
        """
        stem = self.stem(x)
        blocks, hidden = [functional.relu6(stem)], []
        for i, block in enumerate(self.blocks):
            before = read.blocks[i] if read else blocks[-1]
            output, maps = run_block(block, before, read.hidden[i] if read else None)
            blocks.append(output)
            hidden.append(maps)
        return Maps(stem, hidden, blocks, self.last(read.blocks[-1] if read else blocks[-1]))

    def convolutions(self) -> list[FoldedConv]:
        """Returns every convolution in the order of the data."""
        inner = [convolution for block in self.blocks for convolution in block.children()]
        return cast("list[FoldedConv]", [self.stem, *inner, self.last])

    def pooled(self, x: Tensor) -> Tensor:
        """Returns the pooled feature (n, 1280) alone, without holding on to the maps."""
        return self.late(self.early(x, 0), 0)

    def early(self, x: Tensor, blocks: int) -> Tensor:
        """Returns the output of the first blocks (n, channels, h, w) of images (n, 3, h, w)."""
        x = functional.relu6(self.stem(x))
        for block in list(self.blocks)[:blocks]:
            x = run_block(block, x)[0]
        return x

    def late(self, x: Tensor, blocks: int) -> Tensor:
        """Returns the pooled feature (n, 1280) of the first blocks' output."""
        for block in list(self.blocks)[blocks:]:
            x = run_block(block, x)[0]
        return functional.relu6(self.last(x)).mean((2, 3))


class ImageTeachers(nn.Module):
    """Both teachers, frozen. Their images are scaled by `as_quantised`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.v1 = MobileNetV1(read_convolutions(folder / V1_FILE))
        *convolutions, self.classifier = read_convolutions(folder / V2_FILE)
        self.v2 = MobileNetV2(convolutions)
        self.requires_grad_(False).eval()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns V1's pooled feature (n, 1024), V2's (n, 1280) and V2's logits (n, 1001)."""
        pooled = self.v2.pooled(x)
        return self.v1(x), pooled, self.logits(pooled)

    def logits(self, pooled: Tensor) -> Tensor:
        """Returns V2's logits (n, 1001) of its pooled features; class 0 is "background"."""
        logits: Tensor = self.classifier(pooled[:, :, None, None])[:, :, 0, 0]
        return logits


def run_block(
    block: nn.Module, x: Tensor, read: Sequence[Tensor] | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Runs an inverted residual block; returns its output and the map of each of its convolutions.

    With `read`, a convolution's input is the map of that list before it, not the block's own.
    """
    maps: list[Tensor] = []
    for convolution in block.children():
        before = read or maps
        maps.append(convolution(functional.relu6(before[len(maps) - 1]) if maps else x))
    return (maps[-1] + x if maps[-1].shape == x.shape else maps[-1]), maps


def as_quantised(x: Tensor) -> Tensor:
    """Turns a pixel p given as p / 127.5 - 1 into (p - 128) / 128, the teachers' scale."""
    return (x + 1.0) * (127.5 / 128.0) - 1.0


def read_convolutions(file: Path) -> list[FoldedConv]:
    """Reads every convolution of a quantised TensorFlow Lite file, in order, dequantised.

    Raises:
        WeightsError: If the file is missing or holds no convolution.
    """
    if not file.is_file():
        raise WeightsError(f"a teacher must be a TensorFlow Lite file; there is none at {file}")
    interpreter = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    found = [
        _convolution(interpreter, tensors, operation)
        for operation in interpreter._get_ops_details()
        if operation["op_name"] in _CONVOLUTIONS
    ]
    if not found:
        raise WeightsError(f"a teacher must hold convolutions; {file} holds none")
    return found


def _convolution(
    interpreter: Interpreter, tensors: dict[int, dict[str, Any]], operation: dict[str, Any]
) -> FoldedConv:
    source, kernel, bias = (int(i) for i in operation["inputs"])
    weight = _dequantised(interpreter, tensors[kernel])
    depthwise = operation["op_name"] == "DEPTHWISE_CONV_2D"
    # A depthwise kernel is stored (1, height, width, channels), any other (out, height, width, in).
    weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
    height_in = int(tensors[source]["shape"][1])
    height_out = int(tensors[int(operation["outputs"][0])]["shape"][1])
    return FoldedConv(
        torch.from_numpy(np.ascontiguousarray(weight)),
        torch.from_numpy(_dequantised(interpreter, tensors[bias])),
        stride=-(-height_in // height_out),
        groups=weight.shape[0] if depthwise else 1,
    )


def _dequantised(interpreter: Interpreter, tensor: dict[str, Any]) -> NDArray[np.float32]:
    values = interpreter.get_tensor(tensor["index"]).astype(np.float32)
    scale, zero_point = tensor["quantization"]
    return np.asarray((values - zero_point) * np.float32(scale), dtype=np.float32)
