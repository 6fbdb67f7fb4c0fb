"""CollectionService: collections, their items, and questions to them."""

import asyncio

from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from service.engine import Engine
from service.errors import PayloadTooLarge
from service.rpc import answered, asked
from service.rpc.context import Context
from service.rpc.pages import page_of

LONG_METADATA = 64 * 1024
"""Bytes, to translate which takes about 10 ms: between such, other calls have their turn."""


MOST_METADATA = 32 * 1024 * 1024
"""Of one request: twice what its items may keep, written as JSON."""


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

    async def RenameCollection(
        self, request: collections_pb.RenameCollectionRequest, context: Context
    ) -> collections_pb.RenameCollectionResponse:
        """Gives a collection another name."""
        info = await self._engine.collections.rename(request.name, request.new_name)
        return collections_pb.RenameCollectionResponse(collection=answered.collection(info))

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
        sizes = [each.metadata.ByteSize() for each in request.items]
        if sum(sizes) > MOST_METADATA:
            raise PayloadTooLarge(
                f"metadata of a request may take {MOST_METADATA} bytes as Structs, got {sum(sizes)}"
            )
        items = []
        for each, size in zip(request.items, sizes, strict=True):
            items.append(asked.item_input(each))
            if size > LONG_METADATA:
                await asyncio.sleep(0)
        answer = await self._engine.collections.upsert(
            request.collection, items, windows=request.windows
        )
        return collections_pb.UpsertItemsResponse(**answered.item_results(answer))

    async def DeleteItems(
        self, request: collections_pb.DeleteItemsRequest, context: Context
    ) -> collections_pb.DeleteItemsResponse:
        """Deletes items."""
        answer = await self._engine.collections.delete_items(request.collection, list(request.ids))
        return collections_pb.DeleteItemsResponse(**answered.item_results(answer))

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
            collection=page.collection,
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
