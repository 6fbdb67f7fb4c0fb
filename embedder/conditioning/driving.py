"""Hands a condition over to a diffusers pipeline in this process; torch is imported here only."""

from typing import TYPE_CHECKING, Any

from embedder.conditioning.condition import Conditioned
from embedder.conditioning.contract import check_call
from embedder.conditioning.tensors import DType, Tensor

if TYPE_CHECKING:
    import torch


def keywords(made: Conditioned, pipe: Any, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - of diffusers
    """Returns what a pipeline is called with, held against the target's contract.

    Args:
        made: The condition; its tensors are cast to the pipeline's dtype.
        pipe: The pipeline, made.
        others: Further keywords of the call, e.g. `prompt` and `num_inference_steps`.

    Raises:
        UnfitForTarget: If the pipeline would not take the call.
    """
    handed = {
        name: as_torch(tensor).to(pipe.device, pipe.dtype) for name, tensor in made.tensors.items()
    }
    call: dict[str, Any] = {
        keyword: [handed[name[0]]] if isinstance(name, tuple) else handed[name]
        for keyword, name in made.call.arguments.items()
    }
    call |= {**made.call.options, **others}
    check_call(made.profile, pipe, call)
    return call


def as_torch(tensor: Tensor) -> "torch.Tensor":
    """Returns a tensor bit by bit as torch's."""
    import torch

    if tensor.dtype is DType.BF16:
        return torch.from_numpy(tensor.array.view("<i2").copy()).view(torch.bfloat16)
    return torch.from_numpy(tensor.array.copy())
