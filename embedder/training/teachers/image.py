"""The image teachers: quantised MobileNet V1 and V2 classifiers, run in float32.

A teacher is read from its TensorFlow Lite file while training; nothing that is shipped needs it. Running the
dequantised weights in float32 torch is what makes the maps inside the network readable, and lets a teacher look
at crops of any size.

Sources: MobileNets, arXiv:1704.04861; MobileNetV2, arXiv:1801.04381.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.errors import WeightsError

V1_FILE = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
V2_FILE = "mobilenet_v2_1.0_224_quant.tflite"
LABELS_FILE = "imagenet_labels.txt"

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What MobileNetV2 sees on its way, in float32.

    Attributes:
        hidden: Per block, the maps of its inner convolutions before their ReLU6, each (n, channels, h, w).
        blocks: The map at the end of the stem and of every block: entry i is what block i reads.
        pooled: Mean of the last map after its ReLU6, (n, 1280).
        logits: (n, 1001); class 0 is "background".
    """

    hidden: list[list[Tensor]]
    blocks: list[Tensor]
    pooled: Tensor
    logits: Tensor


class FoldedConv(nn.Module):
    """A convolution with its batch norm folded in, padded as TensorFlow's "SAME" is."""

    def __init__(
        self, weight: NDArray[np.float32], bias: NDArray[np.float32], stride: int, groups: int
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(bias), requires_grad=False)
        self.stride, self.groups = stride, groups

    def forward(self, x: Tensor) -> Tensor:
        """Returns the map before any activation."""
        kernel = self.weight.shape[-1]
        if self.stride == 1:
            return functional.conv2d(
                x, self.weight, self.bias, padding=kernel // 2, groups=self.groups
            )
        x = functional.pad(
            x,
            same_padding(x.shape[3], kernel, self.stride)
            + same_padding(x.shape[2], kernel, self.stride),
        )
        return functional.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Returns the (before, after) padding of TensorFlow's "SAME": output ceil(size / stride), the odd one after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class MobileNetV1Teacher(nn.Module):
    """MobileNetV1 up to its pooled feature."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(read_convolutions(file))

    def forward(self, x: Tensor) -> Tensor:
        """Returns pooled features (n, 1024) of images (n, 3, h, w) in [-1, 1]."""
        x = as_quantised(x)
        for convolution in self.convolutions:
            x = functional.relu6(convolution(x))
        return x.mean((2, 3))


class MobileNetV2Teacher(nn.Module):
    """MobileNetV2 with every map readable."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        stem, *body, last, classifier = read_convolutions(file)
        self.stem, self.last, self.classifier = stem, last, classifier
        # The first block has no expansion: two convolutions; the sixteen others have three.
        groups = [body[:2]] + [body[i : i + 3] for i in range(2, len(body), 3)]
        self.blocks = nn.ModuleList(nn.ModuleList(group) for group in groups)

    def forward(self, x: Tensor) -> Maps:
        """Returns the maps of images (n, 3, h, w) in [-1, 1]."""
        x = functional.relu6(self.stem(as_quantised(x)))
        blocks, hidden = [x], []
        for block in self.blocks:
            x, inner = run_block(list(block), x)  # type: ignore[call-overload]
            blocks.append(x)
            hidden.append(inner)
        pooled = functional.relu6(self.last(x)).mean((2, 3))
        logits = self.classifier(pooled[:, :, None, None])[:, :, 0, 0]
        return Maps(hidden, blocks, pooled, logits)


def run_block(block: Sequence[nn.Module], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Runs an inverted residual block; returns its output and its hidden maps before their ReLU6."""
    *inner, project = block
    hidden, y = [], x
    for convolution in inner:
        hidden.append(convolution(y))
        y = functional.relu6(hidden[-1])
    y = project(y)
    return (y + x if y.shape == x.shape else y), hidden


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
        np.ascontiguousarray(weight),
        _dequantised(interpreter, tensors[bias]),
        stride=-(-height_in // height_out),
        groups=weight.shape[0] if depthwise else 1,
    )


def _dequantised(interpreter: Interpreter, tensor: dict[str, Any]) -> NDArray[np.float32]:
    values = interpreter.get_tensor(tensor["index"]).astype(np.float32)
    scale, zero_point = tensor["quantization"]
    return np.asarray((values - zero_point) * np.float32(scale), dtype=np.float32)
