import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from kindred.v1 import content_pb2 as _content_pb2
from kindred.v1 import stats_pb2 as _stats_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CollectionView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLLECTION_VIEW_UNSPECIFIED: _ClassVar[CollectionView]
    COLLECTION_VIEW_BASIC: _ClassVar[CollectionView]
    COLLECTION_VIEW_FULL: _ClassVar[CollectionView]

class Ranking(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RANKING_UNSPECIFIED: _ClassVar[Ranking]
    RANKING_CALIBRATED: _ClassVar[Ranking]
    RANKING_COSINE: _ClassVar[Ranking]
COLLECTION_VIEW_UNSPECIFIED: CollectionView
COLLECTION_VIEW_BASIC: CollectionView
COLLECTION_VIEW_FULL: CollectionView
RANKING_UNSPECIFIED: Ranking
RANKING_CALIBRATED: Ranking
RANKING_COSINE: Ranking

class Collection(_message.Message):
    __slots__ = ("name", "model", "space", "dim", "counts", "index", "bytes", "create_time", "indexed", "recall_target", "stats", "structure")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    DIM_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    INDEXED_FIELD_NUMBER: _ClassVar[int]
    RECALL_TARGET_FIELD_NUMBER: _ClassVar[int]
    STATS_FIELD_NUMBER: _ClassVar[int]
    STRUCTURE_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    space: str
    dim: int
    counts: _containers.ScalarMap[str, int]
    index: str
    bytes: int
    create_time: _timestamp_pb2.Timestamp
    indexed: _containers.RepeatedScalarFieldContainer[str]
    recall_target: float
    stats: _stats_pb2.CollectionStats
    structure: str
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., space: _Optional[str] = ..., dim: _Optional[int] = ..., counts: _Optional[_Mapping[str, int]] = ..., index: _Optional[str] = ..., bytes: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., indexed: _Optional[_Iterable[str]] = ..., recall_target: _Optional[float] = ..., stats: _Optional[_Union[_stats_pb2.CollectionStats, _Mapping]] = ..., structure: _Optional[str] = ...) -> None: ...

class CreateCollectionRequest(_message.Message):
    __slots__ = ("name", "model", "indexed", "recall_target", "structure")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INDEXED_FIELD_NUMBER: _ClassVar[int]
    RECALL_TARGET_FIELD_NUMBER: _ClassVar[int]
    STRUCTURE_FIELD_NUMBER: _ClassVar[int]
    name: str
    model: str
    indexed: _containers.RepeatedScalarFieldContainer[str]
    recall_target: float
    structure: str
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., indexed: _Optional[_Iterable[str]] = ..., recall_target: _Optional[float] = ..., structure: _Optional[str] = ...) -> None: ...

class CreateCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("name", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    view: CollectionView
    def __init__(self, name: _Optional[str] = ..., view: _Optional[_Union[CollectionView, str]] = ...) -> None: ...

class GetCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections", "next_page_token")
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    next_page_token: str
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateCollectionRequest(_message.Message):
    __slots__ = ("collection", "update_mask")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class RenameCollectionRequest(_message.Message):
    __slots__ = ("name", "new_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NEW_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    new_name: str
    def __init__(self, name: _Optional[str] = ..., new_name: _Optional[str] = ...) -> None: ...

class RenameCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class DeleteCollectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteCollectionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ItemInput(_message.Message):
    __slots__ = ("id", "content", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    content: _content_pb2.Content
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., content: _Optional[_Union[_content_pb2.Content, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ItemResult(_message.Message):
    __slots__ = ("index", "id", "modality", "treatment", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    TREATMENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    id: str
    modality: _content_pb2.Modality
    treatment: _content_pb2.Treatment
    error: _content_pb2.Error
    def __init__(self, index: _Optional[int] = ..., id: _Optional[str] = ..., modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., treatment: _Optional[_Union[_content_pb2.Treatment, _Mapping]] = ..., error: _Optional[_Union[_content_pb2.Error, _Mapping]] = ...) -> None: ...

class UpsertItemsRequest(_message.Message):
    __slots__ = ("collection", "items", "windows")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    items: _containers.RepeatedCompositeFieldContainer[ItemInput]
    windows: bool
    def __init__(self, collection: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ItemInput, _Mapping]]] = ..., windows: _Optional[bool] = ...) -> None: ...

class UpsertItemsResponse(_message.Message):
    __slots__ = ("results", "ok", "failed", "collection")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ItemResult]
    ok: int
    failed: int
    collection: str
    def __init__(self, results: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ..., ok: _Optional[int] = ..., failed: _Optional[int] = ..., collection: _Optional[str] = ...) -> None: ...

class DeleteItemsRequest(_message.Message):
    __slots__ = ("collection", "ids")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collection: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteItemsResponse(_message.Message):
    __slots__ = ("results", "ok", "failed", "collection")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    OK_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ItemResult]
    ok: int
    failed: int
    collection: str
    def __init__(self, results: _Optional[_Iterable[_Union[ItemResult, _Mapping]]] = ..., ok: _Optional[int] = ..., failed: _Optional[int] = ..., collection: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("id", "modality", "metadata", "create_time", "has_content", "vector")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HAS_CONTENT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    modality: _content_pb2.Modality
    metadata: _struct_pb2.Struct
    create_time: _timestamp_pb2.Timestamp
    has_content: bool
    vector: _content_pb2.Vector
    def __init__(self, id: _Optional[str] = ..., modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., has_content: _Optional[bool] = ..., vector: _Optional[_Union[_content_pb2.Vector, _Mapping]] = ...) -> None: ...

class ListItemsRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token", "filter", "with_vectors")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WITH_VECTORS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    filter: _struct_pb2.Struct
    with_vectors: bool
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., with_vectors: _Optional[bool] = ...) -> None: ...

class ListItemsResponse(_message.Message):
    __slots__ = ("items", "next_page_token", "collection")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    next_page_token: str
    collection: str
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class GetItemRequest(_message.Message):
    __slots__ = ("collection", "id", "with_vector")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    WITH_VECTOR_FIELD_NUMBER: _ClassVar[int]
    collection: str
    id: str
    with_vector: bool
    def __init__(self, collection: _Optional[str] = ..., id: _Optional[str] = ..., with_vector: _Optional[bool] = ...) -> None: ...

class GetItemResponse(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: Item
    def __init__(self, item: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class GetItemContentRequest(_message.Message):
    __slots__ = ("collection", "id")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    collection: str
    id: str
    def __init__(self, collection: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class GetItemContentResponse(_message.Message):
    __slots__ = ("content", "mime_type")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MIME_TYPE_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    mime_type: str
    def __init__(self, content: _Optional[bytes] = ..., mime_type: _Optional[str] = ...) -> None: ...

class QueryPart(_message.Message):
    __slots__ = ("content", "weight")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    content: _content_pb2.Content
    weight: float
    def __init__(self, content: _Optional[_Union[_content_pb2.Content, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class SearchItemsRequest(_message.Message):
    __slots__ = ("collection", "query", "k", "modalities", "k_per_modality", "filter", "min_score", "ranking", "with_vectors", "exact")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    K_PER_MODALITY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    WITH_VECTORS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    query: _containers.RepeatedCompositeFieldContainer[QueryPart]
    k: int
    modalities: _containers.RepeatedScalarFieldContainer[_content_pb2.Modality]
    k_per_modality: int
    filter: _struct_pb2.Struct
    min_score: float
    ranking: Ranking
    with_vectors: bool
    exact: bool
    def __init__(self, collection: _Optional[str] = ..., query: _Optional[_Iterable[_Union[QueryPart, _Mapping]]] = ..., k: _Optional[int] = ..., modalities: _Optional[_Iterable[_Union[_content_pb2.Modality, str]]] = ..., k_per_modality: _Optional[int] = ..., filter: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., min_score: _Optional[float] = ..., ranking: _Optional[_Union[Ranking, str]] = ..., with_vectors: _Optional[bool] = ..., exact: _Optional[bool] = ...) -> None: ...

class SearchHit(_message.Message):
    __slots__ = ("id", "modality", "score", "calibrated", "probability", "metadata", "has_content", "vector", "at")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATED_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    HAS_CONTENT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    modality: _content_pb2.Modality
    score: float
    calibrated: float
    probability: float
    metadata: _struct_pb2.Struct
    has_content: bool
    vector: _content_pb2.Vector
    at: _content_pb2.Window
    def __init__(self, id: _Optional[str] = ..., modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., score: _Optional[float] = ..., calibrated: _Optional[float] = ..., probability: _Optional[float] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., has_content: _Optional[bool] = ..., vector: _Optional[_Union[_content_pb2.Vector, _Mapping]] = ..., at: _Optional[_Union[_content_pb2.Window, _Mapping]] = ...) -> None: ...

class SearchItemsResponse(_message.Message):
    __slots__ = ("hits", "space", "index", "exact", "ranking", "treatments", "timing_ms", "collection")
    HITS_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    TREATMENTS_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[SearchHit]
    space: str
    index: str
    exact: bool
    ranking: Ranking
    treatments: _containers.RepeatedCompositeFieldContainer[_content_pb2.Treatment]
    timing_ms: _content_pb2.TimingMs
    collection: str
    def __init__(self, hits: _Optional[_Iterable[_Union[SearchHit, _Mapping]]] = ..., space: _Optional[str] = ..., index: _Optional[str] = ..., exact: _Optional[bool] = ..., ranking: _Optional[_Union[Ranking, str]] = ..., treatments: _Optional[_Iterable[_Union[_content_pb2.Treatment, _Mapping]]] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ..., collection: _Optional[str] = ...) -> None: ...

class ScoreItemsRequest(_message.Message):
    __slots__ = ("collection", "contents")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    contents: _containers.RepeatedCompositeFieldContainer[_content_pb2.Content]
    def __init__(self, collection: _Optional[str] = ..., contents: _Optional[_Iterable[_Union[_content_pb2.Content, _Mapping]]] = ...) -> None: ...

class Score(_message.Message):
    __slots__ = ("modality", "percentile", "density_percentile", "residual_percentile", "log_density", "residual")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    DENSITY_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    LOG_DENSITY_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_FIELD_NUMBER: _ClassVar[int]
    modality: _content_pb2.Modality
    percentile: float
    density_percentile: float
    residual_percentile: float
    log_density: float
    residual: float
    def __init__(self, modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., percentile: _Optional[float] = ..., density_percentile: _Optional[float] = ..., residual_percentile: _Optional[float] = ..., log_density: _Optional[float] = ..., residual: _Optional[float] = ...) -> None: ...

class ScoreResult(_message.Message):
    __slots__ = ("index", "score", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    score: Score
    error: _content_pb2.Error
    def __init__(self, index: _Optional[int] = ..., score: _Optional[_Union[Score, _Mapping]] = ..., error: _Optional[_Union[_content_pb2.Error, _Mapping]] = ...) -> None: ...

class Density(_message.Message):
    __slots__ = ("modality", "kind", "fitted", "held_out", "warnings")
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FITTED_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    modality: _content_pb2.Modality
    kind: str
    fitted: int
    held_out: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, modality: _Optional[_Union[_content_pb2.Modality, str]] = ..., kind: _Optional[str] = ..., fitted: _Optional[int] = ..., held_out: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ScoreItemsResponse(_message.Message):
    __slots__ = ("space", "results", "densities", "timing_ms", "collection")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DENSITIES_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    space: str
    results: _containers.RepeatedCompositeFieldContainer[ScoreResult]
    densities: _containers.RepeatedCompositeFieldContainer[Density]
    timing_ms: _content_pb2.TimingMs
    collection: str
    def __init__(self, space: _Optional[str] = ..., results: _Optional[_Iterable[_Union[ScoreResult, _Mapping]]] = ..., densities: _Optional[_Iterable[_Union[Density, _Mapping]]] = ..., timing_ms: _Optional[_Union[_content_pb2.TimingMs, _Mapping]] = ..., collection: _Optional[str] = ...) -> None: ...
