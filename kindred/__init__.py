"""Asks a Kindred server about pictures, words and sounds, over gRPC or REST.

    from kindred import Client, Image

    with Client("localhost:50051") as client:
        client.create_collection("album")
        client.upload("album", ["dog.jpg", "rain.wav"])
        for hit in client.search("album", "a wet dog").hits:
            print(hit.metadata["filename"], hit.score)

`AsyncClient` has the same methods, awaited. Both give the same answers over either wire: vectors
are equal bit for bit, and errors (see `KindredError`) have the same reasons.
"""

from kindred._access import Tls
from kindred._aliases import Alias
from kindred._answers import (
    Collection,
    Embedding,
    Embeddings,
    File,
    Hit,
    ItemError,
    ItemPage,
    ItemResult,
    ItemResults,
    Model,
    Ranked,
    RankedCandidate,
    Ranking,
    SearchAnswer,
    StoredItem,
    TimingMs,
    Treatment,
    Window,
    WindowEmbedding,
)
from kindred._async_client import AsyncClient
from kindred._calls import Priority
from kindred._client import Client
from kindred._conditioned import (
    Conditioned,
    Density,
    Diagnostics,
    InputReport,
    NoiseLevels,
    Pictures,
    PipelineCall,
    Profile,
    ProfileArgument,
    Score,
    Scores,
    Tensor,
)
from kindred._conditions import BridgeParams
from kindred._content import (
    Audio,
    Content,
    ContentLike,
    Image,
    Item,
    ItemInput,
    Metadata,
    Modality,
    Part,
    Picture,
    Text,
    Vector,
)
from kindred._errors import (
    Conflict,
    DeadlineExceeded,
    InvalidArgument,
    KindredError,
    NotFound,
    Overloaded,
    PermissionDenied,
    ServerError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from kindred._jobs import (
    AliasSwap,
    IngestFolder,
    IngestManifest,
    Job,
    JobCounts,
    JobError,
    JobErrorPage,
    JobState,
    Reembed,
)
from kindred._methods import DEFAULT_TIMEOUT
from kindred._snapshots import Snapshot
from kindred._stats import CollectionStats, RecallStats, SegmentStats

__all__ = [
    "DEFAULT_TIMEOUT",
    "Alias",
    "AliasSwap",
    "AsyncClient",
    "Audio",
    "BridgeParams",
    "Client",
    "Collection",
    "CollectionStats",
    "Conditioned",
    "Conflict",
    "Content",
    "ContentLike",
    "DeadlineExceeded",
    "Density",
    "Diagnostics",
    "Embedding",
    "Embeddings",
    "File",
    "Hit",
    "Image",
    "IngestFolder",
    "IngestManifest",
    "InputReport",
    "InvalidArgument",
    "Item",
    "ItemError",
    "ItemInput",
    "ItemPage",
    "ItemResult",
    "ItemResults",
    "Job",
    "JobCounts",
    "JobError",
    "JobErrorPage",
    "JobState",
    "KindredError",
    "Metadata",
    "Modality",
    "Model",
    "NoiseLevels",
    "NotFound",
    "Overloaded",
    "Part",
    "PermissionDenied",
    "Picture",
    "Pictures",
    "PipelineCall",
    "Priority",
    "Profile",
    "ProfileArgument",
    "Ranked",
    "RankedCandidate",
    "Ranking",
    "RecallStats",
    "Reembed",
    "Score",
    "Scores",
    "SearchAnswer",
    "SegmentStats",
    "ServerError",
    "Snapshot",
    "StoredItem",
    "Tensor",
    "Text",
    "TimingMs",
    "Tls",
    "TooLarge",
    "Treatment",
    "Unauthenticated",
    "Unavailable",
    "Vector",
    "Window",
    "WindowEmbedding",
]

for _name in __all__:
    if isinstance(globals()[_name], type):
        # So that people read kindred.Hit where they print one, and pickles outlive a move.
        globals()[_name].__module__ = __name__
del _name
