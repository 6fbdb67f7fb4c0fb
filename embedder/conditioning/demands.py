"""What may be asked of a target: each rule has its sentence."""

import numpy as np

from embedder.conditioning.condition import Input, Request
from embedder.conditioning.mix import Mix
from embedder.conditioning.profile import Profile
from embedder.errors import ConditioningError, UnfitForTarget

MOST_SEED = 2**63 - 1


def check_request(request: Request, profile: Profile, dim: int, most: int) -> None:
    """Refuses what a target does not take.

    Args:
        request: What is asked.
        profile: The target.
        dim: Length of a vector of the served space.
        most: The most inputs, and the most conditions.

    Raises:
        ConditioningError: If there are no inputs, too many, or a number is out of its range.
        UnfitForTarget: If a vector is not of the space's dimension, or the target does not take
            several conditions or vectors, a noise level, or a negative as it is asked for.
    """
    given = (*request.inputs, *request.negative_inputs)
    if not request.inputs or len(given) > most:
        raise ConditioningError(
            f"a condition must have an input, and at most {most} with negative ones, got "
            f"{len(request.inputs)} and {len(request.negative_inputs)}"
        )
    for one in given:
        _check_vector(one, dim)
    if request.seed is not None and not 0 <= request.seed <= MOST_SEED:
        raise ConditioningError(f"seed must be 0 to {MOST_SEED}, got {request.seed}")
    _check_number(request, profile, most)
    _check_mix(request, profile)
    _check_noise(request, profile)
    if request.negative_inputs and profile.takes_negative and not request.cfg:
        raise UnfitForTarget(
            f"negative inputs of {profile.id} are what guidance is measured against: they must "
            "come with cfg"
        )


def _check_vector(given: Input, dim: int) -> None:
    shape = np.shape(given.vector)
    if shape != (dim,):
        raise UnfitForTarget(
            f"a {given.modality} vector must have the {dim} numbers of the served space, got an "
            f"array of shape {shape}"
        )


def _check_number(request: Request, profile: Profile, most: int) -> None:
    if not 1 <= request.num_vectors <= most:
        raise ConditioningError(f"num_vectors must be 1 to {most}, got {request.num_vectors}")
    if request.num_vectors > 1 and not profile.batched:
        raise UnfitForTarget(
            f"{profile.id} takes one condition a call, got num_vectors {request.num_vectors}: ask "
            "once for each, with other seeds"
        )


def _check_mix(request: Request, profile: Profile) -> None:
    apart = len(request.inputs)
    if request.mix is not Mix.STACK or apart == 1:
        return
    if apart > profile.most_vectors:
        raise UnfitForTarget(
            f"{profile.id} keeps {profile.most_vectors} vectors apart, got {apart} to stack: mix "
            "them by mean or slerp"
        )
    if request.negative_inputs and not profile.takes_negative:
        raise UnfitForTarget(
            f"{profile.id} takes no negative vector, and nothing can be subtracted from a stack"
        )


def _check_noise(request: Request, profile: Profile) -> None:
    if request.noise_level is None:
        return
    levels = profile.noise_levels
    if levels is None:
        raise UnfitForTarget(f"{profile.id} takes no noise_level, got {request.noise_level}")
    if not 0 <= request.noise_level <= levels.most:
        raise ConditioningError(
            f"noise_level must be 0 to {levels.most}, got {request.noise_level}"
        )
