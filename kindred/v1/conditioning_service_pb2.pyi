from google.protobuf import struct_pb2 as _struct_pb2
from kindred.v1 import collection_service_pb2 as _collection_service_pb2
from kindred.v1 import content_pb2 as _content_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Bridge(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BRIDGE_UNSPECIFIED: _ClassVar[Bridge]
    BRIDGE_AUTO: _ClassVar[Bridge]
    BRIDGE_NONE: _ClassVar[Bridge]
    BRIDGE_MEAN_SHIFT: _ClassVar[Bridge]
    BRIDGE_LINEAR: _ClassVar[Bridge]
    BRIDGE_KNN: _ClassVar[Bridge]
    BRIDGE_PRIOR: _ClassVar[Bridge]

class Mix(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIX_UNSPECIFIED: _ClassVar[Mix]
    MIX_MEAN: _ClassVar[Mix]
    MIX_SLERP: _ClassVar[Mix]
    MIX_STACK: _ClassVar[Mix]

class DType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    D_TYPE_UNSPECIFIED: _ClassVar[DType]
    D_TYPE_F32: _ClassVar[DType]
    D_TYPE_F16: _ClassVar[DType]
    D_TYPE_BF16: _ClassVar[DType]

class TensorFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TENSOR_FORMAT_UNSPECIFIED: _ClassVar[TensorFormat]
    TENSOR_FORMAT_SAFETENSORS: _ClassVar[TensorFormat]
    TENSOR_FORMAT_NPZ: _ClassVar[TensorFormat]
BRIDGE_UNSPECIFIED: Bridge
BRIDGE_AUTO: Bridge
BRIDGE_NONE: Bridge
BRIDGE_MEAN_SHIFT: Bridge
BRIDGE_LINEAR: Bridge
BRIDGE_KNN: Bridge
BRIDGE_PRIOR: Bridge
MIX_UNSPECIFIED: Mix
MIX_MEAN: Mix
MIX_SLERP: Mix
MIX_STACK: Mix
D_TYPE_UNSPECIFIED: DType
D_TYPE_F32: DType
D_TYPE_F16: DType
D_TYPE_BF16: DType
TENSOR_FORMAT_UNSPECIFIED: TensorFormat
TENSOR_FORMAT_SAFETENSORS: TensorFormat
TENSOR_FORMAT_NPZ: TensorFormat

class ProfileArgument(_message.Message):
    __slots__ = ("name", "axes", "holds", "listed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    name: str
    axes: _containers.RepeatedScalarFieldContainer[str]
    holds: str
    listed: bool
    def __init__(self, name: _Optional[str] = ..., axes: _Optional[_Iterable[str]] = ..., holds: _Optional[str] = ..., listed: _Optional[bool] = ...) -> None: ...

class NoiseLevels(_message.Message):
    __slots__ = ("most", "pictures", "others")
    MOST_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    most: int
    pictures: int
    others: int
    def __init__(self, most: _Optional[int] = ..., pictures: _Optional[int] = ..., others: _Optional[int] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("id", "description", "version", "library", "class_name", "encoder", "dim", "scale", "norm", "unconditional", "most_vectors", "noise_levels", "arguments", "checkpoint", "needs", "ready_models")
    ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    UNCONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    MOST_VECTORS_FIELD_NUMBER: _ClassVar[int]
    NOISE_LEVELS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    READY_MODELS_FIELD_NUMBER: _ClassVar[int]
    id: str
    description: str
    version: int
    library: str
    class_name: str
    encoder: str
    dim: int
    scale: str
    norm: float
    unconditional: str
    most_vectors: int
    noise_levels: NoiseLevels
    arguments: _containers.RepeatedCompositeFieldContainer[ProfileArgument]
    checkpoint: str
    needs: _containers.RepeatedScalarFieldContainer[str]
    ready_models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., description: _Optional[str] = ..., version: _Optional[int] = ..., library: _Optional[str] = ..., class_name: _Optional[str] = ..., encoder: _Optional[str] = ..., dim: _Optional[int] = ..., scale: _Optional[str] = ..., norm: _Optional[float] = ..., unconditional: _Optional[str] = ..., most_vectors: _Optional[int] = ..., noise_levels: _Optional[_Union[NoiseLevels, _Mapping]] = ..., arguments: _Optional[_Iterable[_Union[ProfileArgument, _Mapping]]] = ..., checkpoint: _Optional[str] = ..., needs: _Optional[_Iterable[str]] = ..., ready_models: _Optional[_Iterable[str]] = ...) -> None: ...

class ListProfilesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProfilesResponse(_message.Message):
    __slots__ = ("profiles", "next_page_token")
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    profiles: _containers.RepeatedCompositeFieldContainer[Profile]
    next_page_token: str
    def __init__(self, profiles: _Optional[_Iterable[_Union[Profile, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetProfileRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetProfileResponse(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    def __init__(self, profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class BridgeParams(_message.Message):
    __slots__ = ("strength", "k", "temperature", "steps", "guidance", "candidates")
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    strength: float
    k: int
    temperature: float
    steps: int
    guidance: float
    candidates: int
    def __init__(self, strength: _Optional[float] = ..., k: _Optional[int] = ..., temperature: _Optional[float] = ..., steps: _Optional[int] = ..., guidance: _Optional[float] = ..., candidates: _Optional[int] = ...) -> None: ...

class ConditionRequest(_message.Message):
    __slots__ = ("model", "collection", "inputs", "negative_inputs", "profile", "bridge", "bridge_params", "mix", "num_vectors", "seed", "cfg", "noise_level", "dtype", "format")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_PARAMS_FIELD_NUMBER: _ClassVar[int]
    MIX_FIELD_NUMBER: _ClassVar[int]
    NUM_VECTORS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CFG_FIELD_NUMBER: _ClassVar[int]
    NOISE_LEVEL_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    model: str
    collection: str
    inputs: _containers.RepeatedCompositeFieldContainer[_collection_service_pb2.QueryPart]
    negative_inputs: _containers.RepeatedCompositeFieldContainer[_collection_service_pb2.QueryPart]
    profile: str
    bridge: Bridge
    bridge_params: BridgeParams
    mix: Mix
    num_vectors: int
    seed: int
    cfg: bool
    noise_level: int
    dtype: DType
    format: TensorFormat
    def __init__(self, model: _Optional[str] = ..., collection: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[_collection_service_pb2.QueryPart, _Mapping]]] = ..., negative_inputs: _Optional[_Iterable[_Union[_collection_service_pb2.QueryPart, _Mapping]]] = ..., profile: _Optional[str] = ..., bridge: _Optional[_Union[Bridge, str]] = ..., bridge_params: _Optional[_Union[BridgeParams, _Mapping]] = ..., mix: _Optional[_Union[Mix, str]] = ..., num_vectors: _Optional[int] = ..., seed: _Optional[int] = ..., cfg: _Optional[bool] = ..., noise_level: _Optional[int] = ..., dtype: _Optional[_Union[DType, str]] = ..., format: _Optional[_Union[TensorFormat, str]] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("dtype", "shape", "data")
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    dtype: DType
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, dtype: _Optional[_Union[DType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class CallArgument(_message.Message):
    __slots__ = ("keyword", "tensor", "listed")
    KEYWORD_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    keyword: str
    tensor: str
    listed: bool
    def __init__(self, keyword: _Optional[str] = ..., tensor: _Optional[str] = ..., listed: _Optional[bool] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("library", "class_name", "arguments", "options", "needs", "snippet")
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    SNIPPET_FIELD_NUMBER: _ClassVar[int]
    library: str
    class_name: str
    arguments: _containers.RepeatedCompositeFieldContainer[CallArgument]
    options: _struct_pb2.Struct
    needs: _containers.RepeatedScalarFieldContainer[str]
    snippet: str
    def __init__(self, library: _Optional[str] = ..., class_name: _Optional[str] = ..., arguments: _Optional[_Iterable[_Union[CallArgument, _Mapping]]] = ..., options: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., needs: _Optional[_Iterable[str]] = ..., snippet: _Optional[str] = ...) -> None: ...

class InputReport(_message.Message):
    __slots__ = ("modality", "weight", "norm", "bridge", "cos_to_result")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_FIELD_NUMBER: _ClassVar[int]
    COS_TO_RESULT_FIELD_NUMBER: _ClassVar[int]
    modality: _content_pb2.Modality
    weight: float
    norm: float
    bridge: str
    cos_to_result: float
    def __init__(self, modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., weight: _Optional[float] = ..., norm: _Optional[float] = ..., bridge: _Optional[str] = ..., cos_to_result: _Optional[float] = ...) -> None: ...

class ConditionDiagnostics(_message.Message):
    __slots__ = ("cos_to_image_mean", "log_density_percentile", "residual_percentile")
    COS_TO_IMAGE_MEAN_FIELD_NUMBER: _ClassVar[int]
    LOG_DENSITY_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    cos_to_image_mean: float
    log_density_percentile: float
    residual_percentile: float
    def __init__(self, cos_to_image_mean: _Optional[float] = ..., log_density_percentile: _Optional[float] = ..., residual_percentile: _Optional[float] = ...) -> None: ...

class ConditionResponse(_message.Message):
    __slots__ = ("model", "space", "tensors", "file", "call", "profile", "profile_version", "norm", "adapter", "seed", "bridge_used", "per_input", "diagnostics", "nearest", "warnings", "treatments", "timing_ms")
    class TensorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Tensor
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Tensor, _Mapping]] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_VERSION_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_USED_FIELD_NUMBER: _ClassVar[int]
    PER_INPUT_FIELD_NUMBER: _ClassVar[int]
    DIAGNOSTICS_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TREATMENTS_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    space: str
    tensors: _containers.MessageMap[str, Tensor]
    file: bytes
    call: Call
    profile: str
    profile_version: int
    norm: float
    adapter: str
    seed: int
    bridge_used: str
    per_input: _containers.RepeatedCompositeFieldContainer[InputReport]
    diagnostics: ConditionDiagnostics
    nearest: _containers.RepeatedCompositeFieldContainer[_collection_service_pb2.SearchHit]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    treatments: _containers.RepeatedCompositeFieldContainer[_content_pb2.Treatment]
    timing_ms: _content_pb2.TimingMs
    def __init__(self, model: _Optional[str] = ..., space: _Optional[str] = ..., tensors: _Optional[_Mapping[str, Tensor]] = ..., file: _Optional[bytes] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., profile: _Optional[str] = ..., profile_version: _Optional[int] = ..., norm: _Optional[float] = ..., adapter: _Optional[str] = ..., seed: _Optional[int] = ..., bridge_used: _Optional[str] = ..., per_input: _Optional[_Iterable[_Union[InputReport, _Mapping]]] = ..., diagnostics: _Optional[_Union[ConditionDiagnostics, _Mapping]] = ..., nearest: _Optional[_Iterable[_Union[_collection_service_pb2.SearchHit, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., treatments: _Optional[_Iterable[_Union[_content_pb2.Treatment, _Mapping]]] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("collection", "inputs", "bridge", "bridge_params", "count", "seed", "steps", "guidance", "noise")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_PARAMS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    inputs: _containers.RepeatedCompositeFieldContainer[_collection_service_pb2.QueryPart]
    bridge: Bridge
    bridge_params: BridgeParams
    count: int
    seed: int
    steps: int
    guidance: float
    noise: float
    def __init__(self, collection: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[_collection_service_pb2.QueryPart, _Mapping]]] = ..., bridge: _Optional[_Union[Bridge, str]] = ..., bridge_params: _Optional[_Union[BridgeParams, _Mapping]] = ..., count: _Optional[int] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance: _Optional[float] = ..., noise: _Optional[float] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("generator", "pictures", "seed", "bridge_used", "warnings", "timing_ms")
    GENERATOR_FIELD_NUMBER: _ClassVar[int]
    PICTURES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BRIDGE_USED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    generator: str
    pictures: _containers.RepeatedScalarFieldContainer[bytes]
    seed: int
    bridge_used: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timing_ms: _content_pb2.TimingMs
    def __init__(self, generator: _Optional[str] = ..., pictures: _Optional[_Iterable[bytes]] = ..., seed: _Optional[int] = ..., bridge_used: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ...) -> None: ...
