from kindred.v1 import content_pb2 as _content_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnError(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_ERROR_UNSPECIFIED: _ClassVar[OnError]
    ON_ERROR_REQUEST: _ClassVar[OnError]
    ON_ERROR_ITEM: _ClassVar[OnError]
ON_ERROR_UNSPECIFIED: OnError
ON_ERROR_REQUEST: OnError
ON_ERROR_ITEM: OnError

class Embedding(_message.Message):
    __slots__ = ("vector", "treatment", "window_embeddings")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    TREATMENT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    vector: _content_pb2.Vector
    treatment: _content_pb2.Treatment
    window_embeddings: _containers.RepeatedCompositeFieldContainer[WindowEmbedding]
    def __init__(self, vector: _Optional[_Union[_content_pb2.Vector, _Mapping]] = ..., treatment: _Optional[_Union[_content_pb2.Treatment, _Mapping]] = ..., window_embeddings: _Optional[_Iterable[_Union[WindowEmbedding, _Mapping]]] = ...) -> None: ...

class WindowEmbedding(_message.Message):
    __slots__ = ("window", "vector")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    window: _content_pb2.Window
    vector: _content_pb2.Vector
    def __init__(self, window: _Optional[_Union[_content_pb2.Window, _Mapping]] = ..., vector: _Optional[_Union[_content_pb2.Vector, _Mapping]] = ...) -> None: ...

class EmbedResult(_message.Message):
    __slots__ = ("index", "embedding", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    embedding: Embedding
    error: _content_pb2.Error
    def __init__(self, index: _Optional[int] = ..., embedding: _Optional[_Union[Embedding, _Mapping]] = ..., error: _Optional[_Union[_content_pb2.Error, _Mapping]] = ...) -> None: ...

class EmbedRequest(_message.Message):
    __slots__ = ("model", "contents", "dimensions", "on_error", "windows")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ON_ERROR_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    model: str
    contents: _containers.RepeatedCompositeFieldContainer[_content_pb2.Content]
    dimensions: int
    on_error: OnError
    windows: bool
    def __init__(self, model: _Optional[str] = ..., contents: _Optional[_Iterable[_Union[_content_pb2.Content, _Mapping]]] = ..., dimensions: _Optional[int] = ..., on_error: _Optional[_Union[OnError, str]] = ..., windows: _Optional[bool] = ...) -> None: ...

class EmbedResponse(_message.Message):
    __slots__ = ("model", "space", "results", "units", "timing_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    space: str
    results: _containers.RepeatedCompositeFieldContainer[EmbedResult]
    units: int
    timing_ms: _content_pb2.TimingMs
    def __init__(self, model: _Optional[str] = ..., space: _Optional[str] = ..., results: _Optional[_Iterable[_Union[EmbedResult, _Mapping]]] = ..., units: _Optional[int] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ...) -> None: ...

class EmbedStreamRequest(_message.Message):
    __slots__ = ("model", "content", "dimensions", "windows")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    model: str
    content: _content_pb2.Content
    dimensions: int
    windows: bool
    def __init__(self, model: _Optional[str] = ..., content: _Optional[_Union[_content_pb2.Content, _Mapping]] = ..., dimensions: _Optional[int] = ..., windows: _Optional[bool] = ...) -> None: ...

class EmbedStreamResponse(_message.Message):
    __slots__ = ("model", "space", "result")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    model: str
    space: str
    result: EmbedResult
    def __init__(self, model: _Optional[str] = ..., space: _Optional[str] = ..., result: _Optional[_Union[EmbedResult, _Mapping]] = ...) -> None: ...

class RankRequest(_message.Message):
    __slots__ = ("model", "query", "candidates")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    model: str
    query: _content_pb2.Content
    candidates: _containers.RepeatedCompositeFieldContainer[_content_pb2.Content]
    def __init__(self, model: _Optional[str] = ..., query: _Optional[_Union[_content_pb2.Content, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[_content_pb2.Content, _Mapping]]] = ...) -> None: ...

class RankedCandidate(_message.Message):
    __slots__ = ("index", "score", "probability")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    index: int
    score: float
    probability: float
    def __init__(self, index: _Optional[int] = ..., score: _Optional[float] = ..., probability: _Optional[float] = ...) -> None: ...

class RankResponse(_message.Message):
    __slots__ = ("model", "space", "candidates", "timing_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    space: str
    candidates: _containers.RepeatedCompositeFieldContainer[RankedCandidate]
    timing_ms: _content_pb2.TimingMs
    def __init__(self, model: _Optional[str] = ..., space: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[RankedCandidate, _Mapping]]] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ...) -> None: ...
