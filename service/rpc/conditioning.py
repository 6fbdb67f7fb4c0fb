"""ConditioningService: what is asked, and what is answered."""

from collections.abc import Mapping
from dataclasses import asdict

from embedder.conditioning.bridge import BridgeName, Choice
from embedder.conditioning.call import Call
from embedder.conditioning.generator.sampler import PictureSampling
from embedder.conditioning.mix import Mix
from embedder.conditioning.prior import Sampling
from embedder.conditioning.profile import Profile
from embedder.conditioning.tensors import DType, Tensor
from kindred.v1 import conditioning_service_pb2 as conditioning_pb
from kindred.v1 import conditioning_service_pb2_grpc as conditioning_grpc
from service.conditioning.messages import (
    ConditionAnswer,
    ConditionQuery,
    FileFormat,
    ProfileInfo,
)
from service.engine import Engine
from service.rpc import answered, asked
from service.rpc.context import Context
from service.rpc.pages import page_of

_BRIDGES: Mapping[int, BridgeName] = {
    conditioning_pb.BRIDGE_UNSPECIFIED: BridgeName.AUTO,
    conditioning_pb.BRIDGE_AUTO: BridgeName.AUTO,
    conditioning_pb.BRIDGE_NONE: BridgeName.NONE,
    conditioning_pb.BRIDGE_MEAN_SHIFT: BridgeName.MEAN_SHIFT,
    conditioning_pb.BRIDGE_LINEAR: BridgeName.LINEAR,
    conditioning_pb.BRIDGE_KNN: BridgeName.KNN,
    conditioning_pb.BRIDGE_PRIOR: BridgeName.PRIOR,
}
_MIXES: Mapping[int, Mix] = {
    conditioning_pb.MIX_UNSPECIFIED: Mix.MEAN,
    conditioning_pb.MIX_MEAN: Mix.MEAN,
    conditioning_pb.MIX_SLERP: Mix.SLERP,
    conditioning_pb.MIX_STACK: Mix.STACK,
}
_DTYPES: Mapping[int, DType] = {
    conditioning_pb.D_TYPE_UNSPECIFIED: DType.F32,
    conditioning_pb.D_TYPE_F32: DType.F32,
    conditioning_pb.D_TYPE_F16: DType.F16,
    conditioning_pb.D_TYPE_BF16: DType.BF16,
}
_DTYPE_NUMBERS = {
    DType.F32: conditioning_pb.D_TYPE_F32,
    DType.F16: conditioning_pb.D_TYPE_F16,
    DType.BF16: conditioning_pb.D_TYPE_BF16,
}
_FORMATS: Mapping[int, FileFormat | None] = {
    conditioning_pb.TENSOR_FORMAT_UNSPECIFIED: None,
    conditioning_pb.TENSOR_FORMAT_SAFETENSORS: "safetensors",
    conditioning_pb.TENSOR_FORMAT_NPZ: "npz",
}


class Conditioning(conditioning_grpc.ConditioningServiceServicer):
    """ConditioningService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ListProfiles(
        self, request: conditioning_pb.ListProfilesRequest, context: Context
    ) -> conditioning_pb.ListProfilesResponse:
        """Lists the targets."""
        infos = await self._engine.conditions.profiles()
        page, token = page_of(infos, lambda info: info.profile.id, request)
        return conditioning_pb.ListProfilesResponse(
            profiles=[_profile(info) for info in page], next_page_token=token
        )

    async def GetProfile(
        self, request: conditioning_pb.GetProfileRequest, context: Context
    ) -> conditioning_pb.GetProfileResponse:
        """Gets one target."""
        info = await self._engine.conditions.profile(request.id)
        return conditioning_pb.GetProfileResponse(profile=_profile(info))

    async def Condition(
        self, request: conditioning_pb.ConditionRequest, context: Context
    ) -> conditioning_pb.ConditionResponse:
        """Makes the tensors of a target's call."""
        form = asked.known(request.format, _FORMATS, "format")
        answer = await self._engine.conditions.condition(_query(request))
        return _response(answer, form)

    async def Generate(
        self, request: conditioning_pb.GenerateRequest, context: Context
    ) -> conditioning_pb.GenerateResponse:
        """Makes small pictures."""
        answer = await self._engine.pictures.generate(*_pictures(request))
        return conditioning_pb.GenerateResponse(
            generator=answer.generator,
            pictures=answer.pictures,
            seed=answer.seed,
            bridge_used=answer.bridge_used,
            warnings=answer.warnings,
            timing_ms=answered.timing(answer.timing_ms),
        )


def _pictures(
    message: conditioning_pb.GenerateRequest,
) -> tuple[ConditionQuery, PictureSampling]:
    query = ConditionQuery(
        inputs=[asked.query_part(part) for part in message.inputs],
        collection=asked.optional(message, "collection"),
        bridge=_choice(message),
        num_vectors=message.count if message.HasField("count") else 1,
        seed=asked.optional(message, "seed"),
    )
    numbers = ("steps", "guidance", "noise")
    how = {name: getattr(message, name) for name in numbers if message.HasField(name)}
    return query, PictureSampling(**how)


def _query(message: conditioning_pb.ConditionRequest) -> ConditionQuery:
    said = {
        name: getattr(message, name)
        for name in ("model", "collection", "profile", "num_vectors", "seed", "cfg", "noise_level")
        if message.HasField(name)
    }
    return ConditionQuery(
        inputs=[asked.query_part(part) for part in message.inputs],
        negative_inputs=[asked.query_part(part) for part in message.negative_inputs],
        bridge=_choice(message),
        mix=asked.known(message.mix, _MIXES, "mix"),
        dtype=asked.known(message.dtype, _DTYPES, "dtype"),
        **said,
    )


def _choice(
    message: conditioning_pb.ConditionRequest | conditioning_pb.GenerateRequest,
) -> Choice:
    params = {field.name: value for field, value in message.bridge_params.ListFields()}
    sampling = {
        name: params.pop(name) for name in ("steps", "guidance", "candidates") & params.keys()
    }
    name = asked.known(message.bridge, _BRIDGES, "bridge")
    return Choice(name, sampling=Sampling(**sampling), **params)


def _profile(info: ProfileInfo) -> conditioning_pb.Profile:
    profile, levels = info.profile, info.profile.noise_levels
    return conditioning_pb.Profile(
        id=profile.id,
        description=profile.description,
        version=profile.version,
        library=profile.library,
        class_name=profile.class_name,
        encoder=profile.encoder,
        dim=profile.dim,
        scale=profile.scale,
        norm=profile.norm,
        unconditional=profile.unconditional,
        most_vectors=profile.most_vectors,
        noise_levels=None if levels is None else conditioning_pb.NoiseLevels(**asdict(levels)),
        arguments=_arguments(profile),
        checkpoint=profile.checkpoint,
        needs=profile.needs,
        ready_models=info.ready_models,
    )


def _arguments(profile: Profile) -> list[conditioning_pb.ProfileArgument]:
    return [
        conditioning_pb.ProfileArgument(
            name=argument.name,
            axes=map(str, argument.axes),
            holds=argument.holds,
            listed=argument.listed,
        )
        for argument in profile.arguments
    ]


def _response(
    answer: ConditionAnswer, form: FileFormat | None
) -> conditioning_pb.ConditionResponse:
    tensors = {} if form else answer.tensors
    return conditioning_pb.ConditionResponse(
        model=answer.model,
        space=answer.space,
        tensors={name: _tensor(each) for name, each in tensors.items()},
        file=answer.file(form) if form else b"",
        call=_call(answer.call),
        profile=answer.profile,
        profile_version=answer.profile_version,
        norm=answer.norm,
        adapter=answer.adapter,
        seed=answer.seed,
        bridge_used=answer.bridge_used,
        per_input=[
            conditioning_pb.InputReport(
                modality=answered.modality(each.modality),
                weight=each.weight,
                norm=each.norm,
                bridge=each.bridge,
                cos_to_result=each.cos_to_result,
            )
            for each in answer.per_input
        ],
        diagnostics=conditioning_pb.ConditionDiagnostics(
            cos_to_image_mean=answer.diagnostics.cos_to_image_mean,
            log_density_percentile=answer.diagnostics.log_density_percentile,
            residual_percentile=answer.diagnostics.residual_percentile,
        ),
        nearest=[answered.hit(each) for each in answer.nearest],
        warnings=answer.warnings,
        treatments=[answered.treatment(each) for each in answer.treatments],
        timing_ms=answered.timing(answer.timing_ms),
    )


def _tensor(tensor: Tensor) -> conditioning_pb.Tensor:
    return conditioning_pb.Tensor(
        dtype=_DTYPE_NUMBERS[tensor.dtype], shape=tensor.shape, data=tensor.data
    )


def _call(call: Call) -> conditioning_pb.Call:
    arguments = [
        conditioning_pb.CallArgument(
            keyword=keyword,
            tensor=name[0] if isinstance(name, tuple) else name,
            listed=isinstance(name, tuple),
        )
        for keyword, name in call.arguments.items()
    ]
    return conditioning_pb.Call(
        library=call.library,
        class_name=call.class_name,
        arguments=arguments,
        options=answered.struct(call.options),
        needs=call.needs,
        snippet=call.snippet,
    )
