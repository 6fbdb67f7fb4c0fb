"""Holds a call against its target's contract before the pipeline sees it.

What a pipeline says of a wrong vector, it says late, and in words of its layers: that matrices do
not fit, that None has no dtype. Here each rule has its sentence. Torch is not imported: a pipeline
and tensors are known by what they have.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from embedder.conditioning.profile import Argument, Axis, Holds, Profile
from embedder.errors import UnfitForTarget

_OPTIONAL = {Holds.NEGATIVE, Holds.NEGATIVE_POOLED}
"""What is only wanted where there is guidance."""


def check_call(profile: Profile, pipe: Any, call: Mapping[str, Any]) -> None:  # noqa: ANN401 - of diffusers
    """Refuses what the pipeline would not take, or would take for something else.

    Args:
        profile: The target.
        pipe: The pipeline, made.
        call: The keywords that it is to be called with, tensors and prompts among them.

    Raises:
        UnfitForTarget: If a tensor is missing or of another kind, shape or dtype, rows and prompts
            are not as many, or the pipeline lacks a part.
    """
    for name in profile.components:
        if getattr(pipe, name, None) is None:
            raise UnfitForTarget(
                f"the pipeline of {profile.id} must have {name}, even where vectors are given"
            )
    guided = call.get(profile.guidance, None) is None or call[profile.guidance] > 1
    rows = {}
    for argument in profile.arguments:
        if argument.holds in _OPTIONAL and not guided:
            continue
        tensor = _tensor(profile, argument, call)
        rows[argument.name] = check_shape(argument, tuple(tensor.shape), guided)
        if tensor.dtype != pipe.dtype:
            raise UnfitForTarget(
                f"{argument.name} must be of the pipeline's dtype, {pipe.dtype}, got "
                f"{tensor.dtype}: tensor.to(pipe.dtype) makes it so"
            )
    _check_tokens(profile, call, guided)
    if profile.prompted:
        rows["prompt"] = _prompts(profile, pipe, call)
    if profile.batched and len(set(rows.values())) > 1:
        raise UnfitForTarget(f"tensors and prompts must have as many rows each, got {rows}")


def check_shape(argument: Argument, shape: Sequence[int], guided: bool) -> int:
    """Refuses a tensor of a wrong shape.

    Args:
        argument: What it is for.
        shape: Its shape.
        guided: Whether an axis BOTH holds both sides.

    Returns:
        Conditions in it.

    Raises:
        UnfitForTarget: If the shape is not the argument's.
    """
    fits = len(shape) == len(argument.axes) and all(
        _fits(axis, length, guided) for axis, length in zip(argument.axes, shape, strict=True)
    )
    if not fits:
        raise UnfitForTarget(
            f"{argument.name} must have shape {_words(argument, guided)}, got {tuple(shape)}"
        )
    return shape[0] // 2 if guided and argument.axes[0] is Axis.BOTH else shape[0]


def _fits(axis: Axis | int, length: int, guided: bool) -> bool:
    if axis is Axis.ONE:
        return length == 1
    if axis is Axis.BOTH and guided:
        return length >= 2 and length % 2 == 0
    return length >= 1 if isinstance(axis, Axis) else length == axis


def _words(argument: Argument, guided: bool) -> str:
    axes = ("B" if axis is Axis.BOTH and not guided else str(axis) for axis in argument.axes)
    both = guided and Axis.BOTH in argument.axes
    return f"({', '.join(axes)})" + (", what guidance is measured against first" if both else "")


def _tensor(profile: Profile, argument: Argument, call: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of torch
    """Returns the tensor that an argument is given."""
    given = call.get(argument.name)
    if given is None:
        why = " where there is guidance" if argument.holds in _OPTIONAL else ""
        raise UnfitForTarget(f"a call of {profile.id} must have {argument.name}{why}, got none")
    if argument.listed:
        if not isinstance(given, list) or len(given) != 1:
            raise UnfitForTarget(
                f"{argument.name} must be a list of one tensor, got {type(given).__name__}"
            )
        given = given[0]
    if not hasattr(given, "detach"):
        raise UnfitForTarget(
            f"{argument.name} must be a torch tensor, got {type(given).__name__}: "
            "torch.from_numpy makes one"
        )
    return given


def _check_tokens(profile: Profile, call: Mapping[str, Any], guided: bool) -> None:
    """Refuses sides of unlike shapes: a pipeline puts them into one batch."""
    against = [a for a in profile.arguments if a.holds is Holds.NEGATIVE and guided]
    for argument in against:
        ours, theirs = call[profile.argument.name].shape, call[argument.name].shape
        if tuple(ours) != tuple(theirs):
            raise UnfitForTarget(
                f"{argument.name} must have the shape of {profile.argument.name}, {tuple(ours)}, "
                f"got {tuple(theirs)}"
            )


def _prompts(profile: Profile, pipe: Any, call: Mapping[str, Any]) -> int:  # noqa: ANN401 - of diffusers
    """Returns how many prompts a call has."""
    prompt, embedded = call.get("prompt"), call.get("prompt_embeds")
    if embedded is not None:
        return int(embedded.shape[0])
    if prompt is None or getattr(pipe, "tokenizer", None) is None:
        raise UnfitForTarget(
            f"a call of {profile.id} must have a prompt and the pipeline a tokenizer, or else "
            "prompt_embeds; an empty prompt will do"
        )
    return 1 if isinstance(prompt, str) else len(prompt)
