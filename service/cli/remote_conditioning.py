"""Conditioning on a server: the engine's question and answer, and those of the client."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import kindred
from embedder.base import Treatment
from embedder.conditioning.bridge import Choice
from embedder.conditioning.call import Call
from embedder.conditioning.condition import Diagnostics, InputReport
from embedder.conditioning.generator.sampler import PictureSampling
from embedder.conditioning.tensors import DType, Tensor
from embedder.media import Modality
from service.conditioning.messages import ConditionAnswer, ConditionQuery, PictureAnswer
from service.messages import Content, QueryPart, SearchHit, TimingMs


def condition(
    query: ConditionQuery, content: Callable[[Content], kindred.Content]
) -> dict[str, Any]:
    """Returns the arguments of `Client.condition`."""
    return {
        "inputs": _parts(query.inputs, content),
        "negative_inputs": _parts(query.negative_inputs, content),
        **_bridge(query.bridge),
        "mix": str(query.mix),
        "dtype": str(query.dtype),
        **{
            name: getattr(query, name)
            for name in (
                *("profile", "model", "collection"),
                *("num_vectors", "seed", "cfg", "noise_level"),
            )
        },
    }


def generate(
    query: ConditionQuery, how: PictureSampling, content: Callable[[Content], kindred.Content]
) -> dict[str, Any]:
    """Returns the arguments of `Client.generate`."""
    return {
        "inputs": _parts(query.inputs, content),
        **_bridge(query.bridge),
        "count": query.num_vectors,
        "seed": query.seed,
        "collection": query.collection,
        **{name: getattr(how, name) for name in ("steps", "guidance", "noise")},
    }


def generated(found: kindred.Pictures) -> PictureAnswer:
    """Returns the answer as the engine gives it."""
    return PictureAnswer(**vars(found) | {"timing_ms": TimingMs(**asdict(found.timing_ms))})


def _parts(
    given: Iterable[QueryPart], content: Callable[[Content], kindred.Content]
) -> list[kindred.Part]:
    return [kindred.Part(content(part.content), part.weight) for part in given]


def _bridge(choice: Choice) -> dict[str, Any]:
    params = kindred.BridgeParams(
        choice.strength,
        choice.k,
        choice.temperature,
        choice.sampling.steps,
        choice.sampling.guidance,
        choice.sampling.candidates,
    )
    return {"bridge": str(choice.name), "bridge_params": params}


def conditioned(
    found: kindred.Conditioned, hit: Callable[[kindred.Hit], SearchHit]
) -> ConditionAnswer:
    """Returns the answer as the engine gives it."""
    facts = {name: getattr(found, name) for name in kindred.Conditioned.__dataclass_fields__}
    return ConditionAnswer(
        **facts
        | {
            "tensors": {
                name: Tensor.from_bytes(DType(each.dtype), each.shape, each.data)
                for name, each in found.tensors.items()
            },
            "call": Call(**vars(found.call)),
            "per_input": tuple(
                InputReport(**{**vars(each), "modality": Modality(each.modality)})
                for each in found.per_input
            ),
            "diagnostics": Diagnostics(**asdict(found.diagnostics)),
            "nearest": tuple(map(hit, found.nearest)),
            "treatments": tuple(Treatment(**asdict(each)) for each in found.treatments),
            "timing_ms": TimingMs(**asdict(found.timing_ms)),
        }
    )
