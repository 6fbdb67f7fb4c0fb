"""Conditioning, as messages of `kindred.v1`."""

from collections.abc import Mapping
from dataclasses import asdict

from kindred import _answers as answers
from kindred import _conditioned as made
from kindred import _conditions as conditions
from kindred._content import contents_of
from kindred._rpc.answered import copied, hit, json_object, modality
from kindred._rpc.asked import choice, content_message, weighted
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import conditioning_service_pb2 as conditioning_pb

_BRIDGES: Mapping[str, conditioning_pb.Bridge] = {
    "auto": conditioning_pb.BRIDGE_AUTO,
    "none": conditioning_pb.BRIDGE_NONE,
    "mean_shift": conditioning_pb.BRIDGE_MEAN_SHIFT,
    "linear": conditioning_pb.BRIDGE_LINEAR,
    "knn": conditioning_pb.BRIDGE_KNN,
    "prior": conditioning_pb.BRIDGE_PRIOR,
}
_MIXES: Mapping[str, conditioning_pb.Mix] = {
    "mean": conditioning_pb.MIX_MEAN,
    "slerp": conditioning_pb.MIX_SLERP,
    "stack": conditioning_pb.MIX_STACK,
}
_DTYPES: Mapping[str, conditioning_pb.DType] = {
    "f32": conditioning_pb.D_TYPE_F32,
    "f16": conditioning_pb.D_TYPE_F16,
    "bf16": conditioning_pb.D_TYPE_BF16,
}
_FORMATS: Mapping[str, conditioning_pb.TensorFormat] = {
    "safetensors": conditioning_pb.TENSOR_FORMAT_SAFETENSORS,
    "npz": conditioning_pb.TENSOR_FORMAT_NPZ,
}
_MIME_TYPES = {"safetensors": "application/octet-stream", "npz": "application/zip"}
_NAMED_DTYPES: Mapping[int, made.DType] = {
    conditioning_pb.D_TYPE_F32: "f32",
    conditioning_pb.D_TYPE_F16: "f16",
    conditioning_pb.D_TYPE_BF16: "bf16",
}


def condition(call: conditions.Condition) -> conditioning_pb.ConditionRequest:
    """Asks for tensors."""
    return conditioning_pb.ConditionRequest(
        inputs=weighted(call.inputs),
        profile=call.profile,
        negative_inputs=weighted(call.negative_inputs),
        bridge=choice(call.bridge, _BRIDGES, "bridge"),
        bridge_params=conditioning_pb.BridgeParams(**asdict(call.bridge_params)),
        mix=choice(call.mix, _MIXES, "mix"),
        num_vectors=call.num_vectors,
        seed=call.seed,
        cfg=call.cfg,
        noise_level=call.noise_level,
        dtype=choice(call.dtype, _DTYPES, "dtype"),
        model=call.model,
        collection=call.collection,
    )


def condition_file(call: conditions.ConditionFile) -> conditioning_pb.ConditionRequest:
    """Asks for a file."""
    asked = condition(call.condition)
    asked.format = choice(call.format, _FORMATS, "format")
    return asked


def generate(call: conditions.Generate) -> conditioning_pb.GenerateRequest:
    """Asks for pictures."""
    return conditioning_pb.GenerateRequest(
        inputs=weighted(call.inputs),
        bridge=choice(call.bridge, _BRIDGES, "bridge"),
        bridge_params=conditioning_pb.BridgeParams(**asdict(call.bridge_params)),
        count=call.count,
        seed=call.seed,
        steps=call.steps,
        guidance=call.guidance,
        noise=call.noise,
        collection=call.collection,
    )


def pictures(found: conditioning_pb.GenerateResponse) -> made.Pictures:
    """Returns pictures."""
    return made.Pictures(
        generator=found.generator,
        pictures=tuple(found.pictures),
        seed=found.seed,
        bridge_used=found.bridge_used,
        warnings=tuple(found.warnings),
        timing_ms=copied(found.timing_ms, answers.TimingMs),
    )


def score(call: conditions.ScoreItems) -> collections_pb.ScoreItemsRequest:
    """Asks how usual contents are."""
    contents = [content_message(each) for each in contents_of(call.contents)]
    return collections_pb.ScoreItemsRequest(collection=call.collection, contents=contents)


def scores(found: collections_pb.ScoreItemsResponse) -> made.Scores:
    """Returns how usual contents are."""
    return made.Scores(
        collection=found.collection,
        space=found.space,
        scores=tuple(_score(each) for each in found.results),
        densities=tuple(
            made.Density(
                modality(each.modality), each.kind, each.fitted, each.held_out, tuple(each.warnings)
            )
            for each in found.densities
        ),
        timing_ms=copied(found.timing_ms, answers.TimingMs),
    )


def _score(found: collections_pb.ScoreResult) -> made.Score:
    if found.HasField("error"):
        return made.Score(found.index, error=copied(found.error, answers.ItemError))
    each = found.score
    return made.Score(
        index=found.index,
        modality=modality(each.modality),
        percentile=each.percentile,
        density_percentile=each.density_percentile,
        residual_percentile=each.residual_percentile,
        log_density=each.log_density,
        residual=each.residual,
    )


def profile(found: conditioning_pb.Profile) -> made.Profile:
    """Returns a target."""
    levels = found.noise_levels
    known = found.HasField("noise_levels")
    return made.Profile(
        id=found.id,
        description=found.description,
        version=found.version,
        library=found.library,
        class_name=found.class_name,
        encoder=found.encoder,
        dim=found.dim,
        scale=found.scale,
        norm=found.norm,
        unconditional=found.unconditional,
        most_vectors=found.most_vectors,
        noise_levels=made.NoiseLevels(levels.most, levels.pictures, levels.others)
        if known
        else None,
        arguments=tuple(
            made.ProfileArgument(each.name, tuple(each.axes), each.holds, each.listed)
            for each in found.arguments
        ),
        checkpoint=found.checkpoint,
        needs=tuple(found.needs),
        ready_models=tuple(found.ready_models),
    )


def conditioned(found: conditioning_pb.ConditionResponse) -> made.Conditioned:
    """Returns tensors, and what to know of them."""
    known = {field.name: value for field, value in found.diagnostics.ListFields()}
    return made.Conditioned(
        model=found.model,
        space=found.space,
        tensors={
            name: made.Tensor(_NAMED_DTYPES[each.dtype], tuple(each.shape), each.data)
            for name, each in found.tensors.items()
        },
        call=_call(found.call),
        profile=found.profile,
        profile_version=found.profile_version,
        norm=found.norm,
        adapter=found.adapter,
        seed=found.seed,
        bridge_used=found.bridge_used,
        per_input=tuple(_report(each) for each in found.per_input),
        diagnostics=made.Diagnostics(**known),
        nearest=tuple(hit(each) for each in found.nearest),
        warnings=tuple(found.warnings),
        treatments=tuple(copied(each, answers.Treatment) for each in found.treatments),
        timing_ms=copied(found.timing_ms, answers.TimingMs),
    )


def file(found: conditioning_pb.ConditionResponse) -> answers.File:
    """Returns the file that was asked for: a zip archive is the one that begins so."""
    kind = "npz" if found.file.startswith(b"PK") else "safetensors"
    return answers.File(found.file, _MIME_TYPES[kind])


def _report(found: conditioning_pb.InputReport) -> made.InputReport:
    return made.InputReport(
        modality(found.modality), found.weight, found.norm, found.bridge, found.cos_to_result
    )


def _call(found: conditioning_pb.Call) -> made.PipelineCall:
    arguments = {
        each.keyword: (each.tensor,) if each.listed else each.tensor for each in found.arguments
    }
    return made.PipelineCall(
        library=found.library,
        class_name=found.class_name,
        arguments=arguments,
        options=json_object(found.options),
        needs=tuple(found.needs),
        snippet=found.snippet,
    )
