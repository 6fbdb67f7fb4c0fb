"""How each call travels over gRPC: one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from kindred import _aliases as aliases
from kindred import _answers as answers
from kindred import _calls as calls
from kindred import _conditions as conditions
from kindred import _jobs as jobs
from kindred import _snapshots as snapshots
from kindred._calls import Call
from kindred._rpc import answered, asked
from kindred._rpc import conditions as conditioning
from kindred._rpc import jobs as working
from kindred.v1 import alias_service_pb2 as aliases_pb
from kindred.v1 import alias_service_pb2_grpc as aliases_grpc
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import conditioning_service_pb2 as conditioning_pb
from kindred.v1 import conditioning_service_pb2_grpc as conditioning_grpc
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import job_service_pb2 as jobs_pb
from kindred.v1 import job_service_pb2_grpc as jobs_grpc
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc

Methods = Mapping[type[Call[Any]], Any]
"""What makes each call on one channel."""


@dataclass(frozen=True)
class Route:
    """How one call travels.

    Attributes:
        stub: Class of the generated stub.
        name: Its method.
        ask: Makes the request message, or an iterator of them, from the call.
        read: Makes the answer, or one piece of it, from a response message.
        is_upload: Whether it is a file, which goes in pieces.
    """

    stub: Callable[[Any], Any]
    name: str
    ask: Callable[[Any], Any]
    read: Callable[[Any], Any]
    is_upload: bool = False


_MODELS = models_grpc.ModelServiceStub
_EMBEDDINGS = embeddings_grpc.EmbeddingServiceStub
_COLLECTIONS = collections_grpc.CollectionServiceStub
_ALIASES = aliases_grpc.AliasServiceStub
_CONDITIONING = conditioning_grpc.ConditioningServiceStub
_JOBS = jobs_grpc.JobServiceStub
_SNAPSHOTS = snapshots_grpc.SnapshotServiceStub

ROUTES: Mapping[type[Call[Any]], Route] = {
    calls.Health: Route(
        health_pb2_grpc.HealthStub,
        "Check",
        lambda call: health_pb2.HealthCheckRequest(),
        lambda found: found.status == health_pb2.HealthCheckResponse.SERVING,
    ),
    calls.ListModels: Route(
        _MODELS,
        "ListModels",
        lambda call: models_pb.ListModelsRequest(),
        lambda found: tuple(answered.model(each) for each in found.models),
    ),
    calls.GetModel: Route(
        _MODELS,
        "GetModel",
        lambda call: models_pb.GetModelRequest(name=call.name),
        lambda found: answered.model(found.model),
    ),
    calls.Embed: Route(_EMBEDDINGS, "Embed", asked.embed, answered.embeddings),
    calls.Rank: Route(_EMBEDDINGS, "Rank", asked.rank, answered.ranked),
    calls.CreateCollection: Route(
        _COLLECTIONS,
        "CreateCollection",
        asked.create_collection,
        lambda found: answered.collection(found.collection),
    ),
    calls.ListCollections: Route(
        _COLLECTIONS,
        "ListCollections",
        lambda call: collections_pb.ListCollectionsRequest(),
        lambda found: tuple(answered.collection(each) for each in found.collections),
    ),
    calls.GetCollection: Route(
        _COLLECTIONS,
        "GetCollection",
        asked.get_collection,
        lambda found: answered.collection(found.collection),
    ),
    calls.UpdateCollection: Route(
        _COLLECTIONS,
        "UpdateCollection",
        asked.update_collection,
        lambda found: answered.collection(found.collection),
    ),
    aliases.RenameCollection: Route(
        _COLLECTIONS,
        "RenameCollection",
        lambda call: collections_pb.RenameCollectionRequest(name=call.name, new_name=call.new_name),
        lambda found: answered.collection(found.collection),
    ),
    calls.DeleteCollection: Route(
        _COLLECTIONS,
        "DeleteCollection",
        lambda call: collections_pb.DeleteCollectionRequest(name=call.name),
        lambda found: None,
    ),
    aliases.SetAlias: Route(
        _ALIASES,
        "SetAlias",
        lambda call: aliases_pb.SetAliasRequest(
            name=call.name, collection=call.collection, expected=call.expected
        ),
        lambda found: answered.alias(found.alias),
    ),
    aliases.ListAliases: Route(
        _ALIASES,
        "ListAliases",
        lambda call: aliases_pb.ListAliasesRequest(),
        lambda found: tuple(map(answered.alias, found.aliases)),
    ),
    aliases.DeleteAlias: Route(
        _ALIASES,
        "DeleteAlias",
        lambda call: aliases_pb.DeleteAliasRequest(name=call.name),
        lambda found: None,
    ),
    calls.Upsert: Route(_COLLECTIONS, "UpsertItems", asked.upsert, answered.item_results),
    calls.DeleteItems: Route(
        _COLLECTIONS,
        "DeleteItems",
        lambda call: collections_pb.DeleteItemsRequest(collection=call.collection, ids=call.ids),
        answered.item_results,
    ),
    calls.ListItems: Route(_COLLECTIONS, "ListItems", asked.list_items, answered.item_page),
    calls.GetItem: Route(
        _COLLECTIONS,
        "GetItem",
        lambda call: collections_pb.GetItemRequest(
            collection=call.collection, id=call.id, with_vector=call.with_vector
        ),
        lambda found: answered.item(found.item),
    ),
    calls.GetContent: Route(
        _COLLECTIONS,
        "GetItemContent",
        lambda call: collections_pb.GetItemContentRequest(collection=call.collection, id=call.id),
        lambda found: answers.File(found.content, found.mime_type),
    ),
    calls.Search: Route(_COLLECTIONS, "SearchItems", asked.search, answered.search_answer),
    conditions.ListProfiles: Route(
        _CONDITIONING,
        "ListProfiles",
        lambda call: conditioning_pb.ListProfilesRequest(),
        lambda found: tuple(conditioning.profile(each) for each in found.profiles),
    ),
    conditions.GetProfile: Route(
        _CONDITIONING,
        "GetProfile",
        lambda call: conditioning_pb.GetProfileRequest(id=call.id),
        lambda found: conditioning.profile(found.profile),
    ),
    conditions.Condition: Route(
        _CONDITIONING, "Condition", conditioning.condition, conditioning.conditioned
    ),
    conditions.Generate: Route(
        _CONDITIONING, "Generate", conditioning.generate, conditioning.pictures
    ),
    conditions.ScoreItems: Route(
        _COLLECTIONS, "ScoreItems", conditioning.score, conditioning.scores
    ),
    conditions.ConditionFile: Route(
        _CONDITIONING, "Condition", conditioning.condition_file, conditioning.file
    ),
    jobs.CreateJob: Route(_JOBS, "CreateJob", working.create, lambda found: working.job(found.job)),
    jobs.GetJob: Route(
        _JOBS,
        "GetJob",
        lambda call: jobs_pb.GetJobRequest(id=call.id),
        lambda found: working.job(found.job),
    ),
    jobs.ListJobs: Route(
        _JOBS,
        "ListJobs",
        lambda call: jobs_pb.ListJobsRequest(),
        lambda found: tuple(map(working.job, found.jobs)),
    ),
    jobs.CancelJob: Route(
        _JOBS,
        "CancelJob",
        lambda call: jobs_pb.CancelJobRequest(id=call.id),
        lambda found: working.job(found.job),
    ),
    jobs.WatchJob: Route(
        _JOBS,
        "WatchJob",
        lambda call: jobs_pb.WatchJobRequest(id=call.id),
        lambda found: working.job(found.job),
    ),
    jobs.ListJobErrors: Route(_JOBS, "ListJobErrors", working.errors, working.error_page),
    snapshots.TakeSnapshot: Route(
        _SNAPSHOTS,
        "SnapshotCollection",
        lambda call: snapshots_pb.SnapshotCollectionRequest(collection=call.collection),
        lambda found: answered.snapshot(found.snapshot),
    ),
    snapshots.RestoreSnapshot: Route(
        _SNAPSHOTS,
        "RestoreCollection",
        lambda call: snapshots_pb.RestoreCollectionRequest(
            snapshot=call.name, collection=call.collection
        ),
        lambda found: answered.collection(found.collection),
    ),
    snapshots.ListSnapshots: Route(
        _SNAPSHOTS,
        "ListSnapshots",
        lambda call: snapshots_pb.ListSnapshotsRequest(),
        lambda found: tuple(answered.snapshot(each) for each in found.snapshots),
    ),
    snapshots.DeleteSnapshot: Route(
        _SNAPSHOTS,
        "DeleteSnapshot",
        lambda call: snapshots_pb.DeleteSnapshotRequest(name=call.name),
        lambda found: None,
    ),
    snapshots.DownloadSnapshot: Route(
        _SNAPSHOTS,
        "DownloadSnapshot",
        lambda call: snapshots_pb.DownloadSnapshotRequest(name=call.name),
        lambda found: found.data,
    ),
    snapshots.UploadSnapshot: Route(
        _SNAPSHOTS,
        "UploadSnapshot",
        asked.upload_snapshot,
        lambda found: answered.snapshot(found.snapshot),
        is_upload=True,
    ),
}


def methods_on(channel: Any) -> Methods:  # noqa: ANN401 - grpc has no types
    """Returns what makes each call on a channel."""
    return {call: getattr(route.stub(channel), route.name) for call, route in ROUTES.items()}
