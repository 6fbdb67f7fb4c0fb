"""The services of `kindred.v1`: every call is translated, put to the engine and translated back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from embedder.errors import EmbedderError
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc
from service.engine import Engine
from service.errors import ServiceError, item_error
from service.rpc import answered, asked
from service.rpc.pages import page_of

T = TypeVar("T")
Context = Any
"""grpc.aio.ServicerContext, which has no types."""

STREAM_WINDOW = 32
"""Contents of one stream in work at a time: enough for a full batch; beyond, the client waits."""

PIECE_BYTES = 256 * 1024
"""So much of a file is one message: far below gRPC's own limit of 4 MiB."""


class Models(models_grpc.ModelServiceServicer):
    """ModelService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ListModels(
        self, request: models_pb.ListModelsRequest, context: Context
    ) -> models_pb.ListModelsResponse:
        """Lists the served models."""
        page, token = page_of(self._engine.models(), lambda model: model.name, request)
        return models_pb.ListModelsResponse(
            models=[answered.model(info) for info in page], next_page_token=token
        )

    async def GetModel(
        self, request: models_pb.GetModelRequest, context: Context
    ) -> models_pb.GetModelResponse:
        """Gets one model."""
        info = self._engine.model(request.name)
        return models_pb.GetModelResponse(model=answered.model(info))


class Embeddings(embeddings_grpc.EmbeddingServiceServicer):
    """EmbeddingService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def Embed(
        self, request: embeddings_pb.EmbedRequest, context: Context
    ) -> embeddings_pb.EmbedResponse:
        """Embeds contents."""
        answer = await self._engine.embed(
            [asked.content(each) for each in request.contents],
            model=asked.optional(request, "model"),
            dimensions=asked.optional(request, "dimensions"),
            on_error=asked.on_error(request.on_error),
            windows=request.windows,
        )
        return answered.embed_response(answer)

    async def EmbedStream(
        self, request_iterator: AsyncIterator[embeddings_pb.EmbedStreamRequest], context: Context
    ) -> None:
        """Embeds contents as they come: many at a time, answered in their order."""
        room = asyncio.Semaphore(STREAM_WINDOW)
        answers = asyncio.Queue[asyncio.Task[embeddings_pb.EmbedStreamResponse] | None]()

        async def read() -> None:
            index = 0
            async for request in request_iterator:
                await room.acquire()
                answers.put_nowait(group.create_task(self._embed_one(index, request)))
                index += 1
            answers.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while answer := await answers.get():
                await context.write(await answer)
                room.release()

    async def _embed_one(
        self, index: int, request: embeddings_pb.EmbedStreamRequest
    ) -> embeddings_pb.EmbedStreamResponse:
        try:
            answer = await self._engine.embed(
                [asked.content(request.content)],
                model=asked.optional(request, "model"),
                dimensions=asked.optional(request, "dimensions"),
                windows=request.windows,
            )
        except (ServiceError, EmbedderError) as error:
            result = embeddings_pb.EmbedResult(index=index, error=answered.error(item_error(error)))
            return embeddings_pb.EmbedStreamResponse(result=result)
        return embeddings_pb.EmbedStreamResponse(
            model=answer.model,
            space=answer.space,
            result=answered.embed_result(answer.results[0], index),
        )

    async def Rank(
        self, request: embeddings_pb.RankRequest, context: Context
    ) -> embeddings_pb.RankResponse:
        """Scores candidates against a query."""
        answer = await self._engine.rank(
            asked.content(request.query),
            [asked.content(each) for each in request.candidates],
            model=asked.optional(request, "model"),
        )
        return answered.rank_response(answer)


class Collections(collections_grpc.CollectionServiceServicer):
    """CollectionService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def CreateCollection(
        self, request: collections_pb.CreateCollectionRequest, context: Context
    ) -> collections_pb.CreateCollectionResponse:
        """Creates a collection."""
        info = await self._engine.collections.create(asked.new_collection(request))
        return collections_pb.CreateCollectionResponse(collection=answered.collection(info))

    async def GetCollection(
        self, request: collections_pb.GetCollectionRequest, context: Context
    ) -> collections_pb.GetCollectionResponse:
        """Gets one collection."""
        info = await self._engine.collections.get(
            request.name, with_stats=asked.with_stats(request.view)
        )
        return collections_pb.GetCollectionResponse(collection=answered.collection(info))

    async def ListCollections(
        self, request: collections_pb.ListCollectionsRequest, context: Context
    ) -> collections_pb.ListCollectionsResponse:
        """Lists the collections."""
        infos = await self._engine.collections.list()
        page, token = page_of(infos, lambda info: info.name, request)
        return collections_pb.ListCollectionsResponse(
            collections=[answered.collection(info) for info in page], next_page_token=token
        )

    async def UpdateCollection(
        self, request: collections_pb.UpdateCollectionRequest, context: Context
    ) -> collections_pb.UpdateCollectionResponse:
        """Changes a collection."""
        info = await self._engine.collections.update(
            request.collection.name, indexed=asked.indexed(request)
        )
        return collections_pb.UpdateCollectionResponse(collection=answered.collection(info))

    async def DeleteCollection(
        self, request: collections_pb.DeleteCollectionRequest, context: Context
    ) -> collections_pb.DeleteCollectionResponse:
        """Deletes a collection."""
        await self._engine.collections.delete(request.name)
        return collections_pb.DeleteCollectionResponse()

    async def UpsertItems(
        self, request: collections_pb.UpsertItemsRequest, context: Context
    ) -> collections_pb.UpsertItemsResponse:
        """Stores items."""
        items = [asked.item_input(each) for each in request.items]
        results = await self._engine.collections.upsert(
            request.collection, items, windows=request.windows
        )
        return collections_pb.UpsertItemsResponse(**answered.item_results(results))

    async def DeleteItems(
        self, request: collections_pb.DeleteItemsRequest, context: Context
    ) -> collections_pb.DeleteItemsResponse:
        """Deletes items."""
        results = await self._engine.collections.delete_items(request.collection, list(request.ids))
        return collections_pb.DeleteItemsResponse(**answered.item_results(results))

    async def ListItems(
        self, request: collections_pb.ListItemsRequest, context: Context
    ) -> collections_pb.ListItemsResponse:
        """Lists items."""
        page = await self._engine.collections.items(
            request.collection,
            page_size=request.page_size if request.HasField("page_size") else 100,
            page_token=request.page_token,
            filter=asked.optional_object(request, "filter"),
            with_vectors=request.with_vectors,
        )
        return collections_pb.ListItemsResponse(
            items=[answered.item(each) for each in page.items],
            next_page_token=page.next_page_token,
        )

    async def GetItem(
        self, request: collections_pb.GetItemRequest, context: Context
    ) -> collections_pb.GetItemResponse:
        """Gets one item."""
        stored = await self._engine.collections.item(
            request.collection, request.id, with_vector=request.with_vector
        )
        return collections_pb.GetItemResponse(item=answered.item(stored))

    async def GetItemContent(
        self, request: collections_pb.GetItemContentRequest, context: Context
    ) -> collections_pb.GetItemContentResponse:
        """Gets the media of an item."""
        content, mime_type = await self._engine.collections.content(request.collection, request.id)
        return collections_pb.GetItemContentResponse(content=content, mime_type=mime_type)

    async def SearchItems(
        self, request: collections_pb.SearchItemsRequest, context: Context
    ) -> collections_pb.SearchItemsResponse:
        """Finds the nearest items."""
        answer = await self._engine.collections.search(
            request.collection, asked.search_query(request)
        )
        return answered.search_response(answer)

    async def ScoreItems(
        self, request: collections_pb.ScoreItemsRequest, context: Context
    ) -> collections_pb.ScoreItemsResponse:
        """Tells how usual contents are."""
        contents = [asked.content(each) for each in request.contents]
        answer = await self._engine.densities.score(request.collection, contents)
        return answered.score_response(answer)


class Snapshots(snapshots_grpc.SnapshotServiceServicer):
    """SnapshotService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def SnapshotCollection(
        self, request: snapshots_pb.SnapshotCollectionRequest, context: Context
    ) -> snapshots_pb.SnapshotCollectionResponse:
        """Copies a collection to a file."""
        info = await self._engine.snapshots.take(request.collection)
        return snapshots_pb.SnapshotCollectionResponse(snapshot=answered.snapshot(info))

    async def RestoreCollection(
        self, request: snapshots_pb.RestoreCollectionRequest, context: Context
    ) -> snapshots_pb.RestoreCollectionResponse:
        """Creates a collection from a file."""
        info = await self._engine.snapshots.restore(
            request.snapshot, asked.optional(request, "collection")
        )
        return snapshots_pb.RestoreCollectionResponse(collection=answered.collection(info))

    async def ListSnapshots(
        self, request: snapshots_pb.ListSnapshotsRequest, context: Context
    ) -> snapshots_pb.ListSnapshotsResponse:
        """Lists the snapshots."""
        infos = await self._engine.snapshots.list()
        page, token = page_of(infos, lambda info: info.name, request)
        return snapshots_pb.ListSnapshotsResponse(
            snapshots=[answered.snapshot(info) for info in page], next_page_token=token
        )

    async def DeleteSnapshot(
        self, request: snapshots_pb.DeleteSnapshotRequest, context: Context
    ) -> snapshots_pb.DeleteSnapshotResponse:
        """Deletes a snapshot."""
        await self._engine.snapshots.delete(request.name)
        return snapshots_pb.DeleteSnapshotResponse()

    async def DownloadSnapshot(
        self, request: snapshots_pb.DownloadSnapshotRequest, context: Context
    ) -> None:
        """Sends the file of a snapshot."""
        path = await self._engine.snapshots.file(request.name)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                await context.write(snapshots_pb.DownloadSnapshotResponse(data=piece))

    async def UploadSnapshot(
        self, request_iterator: AsyncIterator[snapshots_pb.UploadSnapshotRequest], context: Context
    ) -> snapshots_pb.UploadSnapshotResponse:
        """Keeps a file as a snapshot."""
        sent = aiter(request_iterator)
        first = await anext(sent, snapshots_pb.UploadSnapshotRequest())

        async def pieces() -> AsyncIterator[bytes]:
            yield first.data
            async for message in sent:
                yield message.data

        info = await self._engine.snapshots.keep(first.name, pieces())
        return snapshots_pb.UploadSnapshotResponse(snapshot=answered.snapshot(info))
