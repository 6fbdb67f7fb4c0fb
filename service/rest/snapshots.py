"""Snapshots: files of the server, each with one moment of a collection."""

import os
from typing import BinaryIO

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from service.rest.collections import Collection
from service.rest.files import ANY_BYTES, File
from service.rest.wire import Answer, JsonRoute, PathText, Question, TheEngine, reply

router = APIRouter(prefix="/v1", tags=["snapshots"], route_class=JsonRoute)

BYTES = "application/octet-stream"


class Snapshot(Answer):
    """A file with one moment of a collection."""

    name: str
    collection: str = Field(description="The collection it was taken of.")
    model: str
    space: str
    items: int
    bytes: int
    created: str


class Snapshots(Answer):
    """Every snapshot, by name."""

    snapshots: list[Snapshot]


class Restore(Question):
    """What to restore, and as what."""

    snapshot: str = Field(description="The name of a snapshot; never a path.")
    collection: str | None = Field(None, description="By default the one it was taken of.")


class _OpenFile(File):
    """A file that is open, so that it may be deleted before it is sent."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        path, found = f"/dev/fd/{file.fileno()}", os.fstat(file.fileno())
        super().__init__(path, media_type=BYTES, filename=name, stat_result=found)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


@router.post("/collections/{collection}:snapshot", response_model=Snapshot, status_code=201)
async def snapshot_collection(collection: PathText, engine: TheEngine) -> Response:
    """Copies one moment of a collection, which may be used meanwhile, to a new file."""
    info = await engine.snapshots.take(collection)
    return reply(Snapshot.model_validate(info), status=201)


@router.post("/collections:restore", response_model=Collection, status_code=201)
async def restore_collection(question: Restore, engine: TheEngine) -> Response:
    """Creates a collection from a snapshot, all of which is checked first."""
    info = await engine.snapshots.restore(question.snapshot, question.collection)
    return reply(Collection.model_validate(info), status=201)


@router.get("/snapshots", response_model=Snapshots)
async def list_snapshots(engine: TheEngine) -> Response:
    """Lists every snapshot."""
    infos = await engine.snapshots.list()
    return reply(Snapshots(snapshots=[Snapshot.model_validate(info) for info in infos]))


@router.get(
    "/snapshots/{name}",
    response_class=File,
    responses={
        200: {"content": {BYTES: ANY_BYTES}},
        206: {"content": {BYTES: ANY_BYTES}, "description": "The bytes that `Range` asks for."},
    },
)
async def download_snapshot(name: PathText, engine: TheEngine) -> Response:
    """Gets the file of a snapshot."""
    return _OpenFile(await engine.snapshots.file(name), name)


@router.put(
    "/snapshots/{name}",
    response_model=Snapshot,
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {BYTES: ANY_BYTES}}},
)
async def upload_snapshot(name: PathText, request: Request, engine: TheEngine) -> Response:
    """Keeps a file, sent as it is, as a snapshot to be restored."""
    info = await engine.snapshots.keep(name, request.stream())
    return reply(Snapshot.model_validate(info), status=201)


@router.delete("/snapshots/{name}", status_code=204)
async def delete_snapshot(name: PathText, engine: TheEngine) -> Response:
    """Deletes a snapshot."""
    await engine.snapshots.delete(name)
    return Response(status_code=204)
