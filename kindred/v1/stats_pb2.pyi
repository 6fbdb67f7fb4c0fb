from kindred.v1 import content_pb2 as _content_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CollectionStats(_message.Message):
    __slots__ = ("indexes", "recall", "building", "damaged")
    INDEXES_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    BUILDING_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_FIELD_NUMBER: _ClassVar[int]
    indexes: _containers.RepeatedCompositeFieldContainer[ModalityIndex]
    recall: _containers.RepeatedCompositeFieldContainer[RecallStats]
    building: _containers.RepeatedScalarFieldContainer[_content_pb2.Modality]
    damaged: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, indexes: _Optional[_Iterable[_Union[ModalityIndex, _Mapping]]] = ..., recall: _Optional[_Iterable[_Union[RecallStats, _Mapping]]] = ..., building: _Optional[_Iterable[_Union[_content_pb2.Modality, str]]] = ..., damaged: _Optional[_Iterable[str]] = ...) -> None: ...

class ModalityIndex(_message.Message):
    __slots__ = ("modality", "segments")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    modality: _content_pb2.Modality
    segments: _containers.RepeatedCompositeFieldContainer[SegmentStats]
    def __init__(self, modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., segments: _Optional[_Iterable[_Union[SegmentStats, _Mapping]]] = ...) -> None: ...

class SegmentStats(_message.Message):
    __slots__ = ("kind", "rows", "dead", "memory_bytes", "disk_bytes", "build_seconds")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUILD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    rows: int
    dead: int
    memory_bytes: int
    disk_bytes: int
    build_seconds: float
    def __init__(self, kind: _Optional[str] = ..., rows: _Optional[int] = ..., dead: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., build_seconds: _Optional[float] = ...) -> None: ...

class RecallStats(_message.Message):
    __slots__ = ("query_modality", "modality", "target", "measured", "queries", "effort")
    QUERY_MODALITY_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    query_modality: _content_pb2.Modality
    modality: _content_pb2.Modality
    target: float
    measured: float
    queries: int
    effort: str
    def __init__(self, query_modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., target: _Optional[float] = ..., measured: _Optional[float] = ..., queries: _Optional[int] = ..., effort: _Optional[str] = ...) -> None: ...
