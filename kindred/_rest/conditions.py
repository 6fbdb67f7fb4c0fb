"""Conditioning, as JSON."""

import base64
from dataclasses import asdict
from typing import Any

from kindred import _answers as answers
from kindred import _conditioned as made
from kindred import _conditions as conditions
from kindred._content import Modality, contents_of
from kindred._rest.answered import copied, hit
from kindred._rest.asked import content, given, weighted

JsonObject = dict[str, Any]


def condition(call: conditions.Condition) -> JsonObject:
    """Asks for tensors."""
    return given(
        inputs=weighted(call.inputs),
        profile=call.profile,
        negative_inputs=weighted(call.negative_inputs),
        bridge=call.bridge,
        bridge_params=given(**asdict(call.bridge_params)),
        mix=call.mix,
        num_vectors=call.num_vectors,
        seed=call.seed,
        cfg=call.cfg,
        noise_level=call.noise_level,
        dtype=call.dtype,
        model=call.model,
        collection=call.collection,
    )


def condition_file(call: conditions.ConditionFile) -> JsonObject:
    """Asks for a file."""
    return {**condition(call.condition), "format": call.format}


def generate(call: conditions.Generate) -> JsonObject:
    """Asks for pictures."""
    return given(
        inputs=weighted(call.inputs),
        bridge=call.bridge,
        bridge_params=given(**asdict(call.bridge_params)),
        count=call.count,
        seed=call.seed,
        steps=call.steps,
        guidance=call.guidance,
        noise=call.noise,
        collection=call.collection,
    )


def pictures(found: JsonObject) -> made.Pictures:
    """Returns pictures."""
    parts = {
        "pictures": tuple(base64.b64decode(each) for each in found["pictures"]),
        "warnings": tuple(found["warnings"]),
        "timing_ms": copied(found["timing_ms"], answers.TimingMs),
    }
    return copied({**found, **parts}, made.Pictures)


def score(call: conditions.ScoreItems) -> JsonObject:
    """Asks how usual contents are."""
    return {"contents": [content(each) for each in contents_of(call.contents)]}


def scores(found: JsonObject) -> made.Scores:
    """Returns how usual contents are."""
    return made.Scores(
        collection=found.get("collection", ""),  # of an older server none
        space=found["space"],
        scores=tuple(_score(each) for each in found["scores"]),
        densities=tuple(
            copied(
                {
                    **each,
                    "modality": Modality(each["modality"]),
                    "warnings": tuple(each["warnings"]),
                },
                made.Density,
            )
            for each in found["densities"]
        ),
        timing_ms=copied(found["timing_ms"], answers.TimingMs),
    )


def _score(found: JsonObject) -> made.Score:
    if "error" in found:
        return made.Score(found["index"], error=copied(found["error"], answers.ItemError))
    return copied({**found, "modality": Modality(found["modality"])}, made.Score)


def profile(found: JsonObject) -> made.Profile:
    """Returns a target."""
    levels = found.get("noise_levels")
    parts = {
        "noise_levels": copied(levels, made.NoiseLevels) if levels else None,
        "arguments": tuple(
            copied({**each, "axes": tuple(each["axes"])}, made.ProfileArgument)
            for each in found["arguments"]
        ),
        "needs": tuple(found["needs"]),
        "ready_models": tuple(found["ready_models"]),
    }
    return copied({**found, **parts}, made.Profile)


def conditioned(found: JsonObject) -> made.Conditioned:
    """Returns tensors, and what to know of them."""
    parts = {
        "tensors": {name: _tensor(each) for name, each in found["tensors"].items()},
        "call": _call(found["call"]),
        "per_input": tuple(
            copied({**each, "modality": Modality(each["modality"])}, made.InputReport)
            for each in found["per_input"]
        ),
        "diagnostics": copied(found["diagnostics"], made.Diagnostics),
        "nearest": tuple(hit(each) for each in found["nearest"]),
        "warnings": tuple(found["warnings"]),
        "treatments": tuple(copied(each, answers.Treatment) for each in found["treatments"]),
        "timing_ms": copied(found["timing_ms"], answers.TimingMs),
    }
    return copied({**found, **parts}, made.Conditioned)


def _tensor(found: JsonObject) -> made.Tensor:
    data = base64.b64decode(found["data"])
    return made.Tensor(found["dtype"], tuple(found["shape"]), data)


def _call(found: JsonObject) -> made.PipelineCall:
    arguments = {
        keyword: tuple(name) if isinstance(name, list) else name
        for keyword, name in found["arguments"].items()
    }
    parts = {"arguments": arguments, "needs": tuple(found["needs"])}
    return copied({**found, **parts}, made.PipelineCall)
