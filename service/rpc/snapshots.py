"""SnapshotService: files with one moment of a collection, taken, restored and sent."""

import asyncio
from collections.abc import AsyncIterator

from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc
from service.engine import Engine
from service.rpc import answered, asked
from service.rpc.context import Context
from service.rpc.pages import page_of

PIECE_BYTES = 256 * 1024
"""So much of a file is one message: far below gRPC's own limit of 4 MiB."""


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
        with await self._engine.snapshots.file(request.name) as file:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                await context.write(snapshots_pb.DownloadSnapshotResponse(data=piece))

    async def UploadSnapshot(
        self, request_iterator: AsyncIterator[snapshots_pb.UploadSnapshotRequest], context: Context
    ) -> snapshots_pb.UploadSnapshotResponse:
        """Keeps a file as a snapshot."""
        first = await anext(request_iterator, snapshots_pb.UploadSnapshotRequest())

        async def pieces() -> AsyncIterator[bytes]:
            yield first.data
            async for message in request_iterator:
                yield message.data

        info = await self._engine.snapshots.keep(first.name, pieces())
        return snapshots_pb.UploadSnapshotResponse(snapshot=answered.snapshot(info))
