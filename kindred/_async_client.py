"""The client that is awaited: the calls of `kindred._client`, in an event loop."""

import copy
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from kindred import _aliases as aliases
from kindred import _calls as calls
from kindred import _conditions as conditions
from kindred import _jobs as jobs
from kindred import _snapshots as snapshots
from kindred._access import Access, Tls
from kindred._answers import StoredItem
from kindred._calls import Call
from kindred._methods import DEFAULT_TIMEOUT, described, named, untold
from kindred._rest.wire import AsyncRest
from kindred._rpc.wire import AsyncRpc
from kindred._uploads import upload

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    call: Callable[P, Call[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send(call(*args, **kwargs))

    return described(method, call)


@named
class AsyncClient:
    """Asks a Kindred server and awaits the answer; otherwise the same as `Client`.

    Belongs to the event loop in which it is first used.
    """

    def __init__(
        self,
        address: str,
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        access = Access.of(address, api_key, tls)
        self._wire: AsyncRpc | AsyncRest = AsyncRest(access) if access.is_rest else AsyncRpc(access)
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection."""
        await self._wire.close()

    def with_timeout(self, seconds: float | None) -> Self:
        """Returns a client on this one's connection that waits for so long."""
        other = copy.copy(self)
        other._timeout = seconds
        return other

    async def _send(self, call: Call[T]) -> T:
        return await self._wire.send(call, self._timeout)

    async def _pages(self, call: calls.ListItems | jobs.ListJobErrors) -> AsyncIterator[Any]:
        page: Any = await self._send(call)
        yield page
        while page.next_page_token:
            page = await self._send(replace(call, page_token=page.next_page_token))
            yield page

    health = _awaited(calls.Health)
    models = _awaited(calls.ListModels)
    get_model = _awaited(calls.GetModel)
    embed = _awaited(calls.Embed)
    rank = _awaited(calls.Rank)
    create_collection = _awaited(calls.CreateCollection)
    list_collections = _awaited(calls.ListCollections)
    get_collection = _awaited(calls.GetCollection)
    update_collection = _awaited(calls.UpdateCollection)
    rename_collection = _awaited(aliases.RenameCollection)
    delete_collection = _awaited(calls.DeleteCollection)
    set_alias = _awaited(aliases.SetAlias)
    list_aliases = _awaited(aliases.ListAliases)
    delete_alias = _awaited(aliases.DeleteAlias)
    upsert = _awaited(calls.Upsert)
    upload = _awaited(upload)
    delete_items = _awaited(calls.DeleteItems)
    get_item = _awaited(calls.GetItem)
    get_content = _awaited(calls.GetContent)
    search = _awaited(calls.Search)
    item_page = _awaited(calls.ListItems)
    score_items = _awaited(conditions.ScoreItems)
    generate = _awaited(conditions.Generate)
    profiles = _awaited(conditions.ListProfiles)
    get_profile = _awaited(conditions.GetProfile)
    condition = _awaited(conditions.Condition)
    condition_file = _awaited(conditions.condition_file)
    create_job = _awaited(jobs.CreateJob)
    get_job = _awaited(jobs.GetJob)
    list_jobs = _awaited(jobs.ListJobs)
    cancel_job = _awaited(jobs.CancelJob)
    job_error_page = _awaited(jobs.ListJobErrors)
    take_snapshot = _awaited(snapshots.TakeSnapshot)
    restore_snapshot = _awaited(snapshots.RestoreSnapshot)
    list_snapshots = _awaited(snapshots.ListSnapshots)
    delete_snapshot = _awaited(snapshots.DeleteSnapshot)
    upload_snapshot = _awaited(snapshots.upload_snapshot)

    def watch_job(self, id: str) -> AsyncIterator[jobs.Job]:
        """Yields a job as it gets on; see `Client.watch_job`."""
        return self._wire.watch(jobs.WatchJob(id))

    async def list_job_errors(self, id: str) -> AsyncIterator[jobs.JobError]:
        """Yields what went wrong with items of a job; see `Client.list_job_errors`."""
        async for page in self._pages(jobs.ListJobErrors(id)):
            for error in page.errors:
                yield error

    def snapshot_pieces(self, name: str) -> AsyncIterator[bytes]:
        """Yields the file of a snapshot, piece by piece."""
        return self._wire.stream(snapshots.DownloadSnapshot(name), self._timeout)

    async def download_snapshot(
        self, name: str, path: str | Path, *, moved: Callable[[int], object] = untold
    ) -> None:
        """Writes the file of a snapshot to a path; see `Client.download_snapshot`."""
        with snapshots.Download(path, moved) as file:
            async for piece in self.snapshot_pieces(name):
                file.write(piece)

    async def list_items(
        self,
        collection: str,
        *,
        filter: calls.Filter | None = None,
        with_vectors: bool = False,
    ) -> AsyncIterator[StoredItem]:
        """Yields the items of a collection in the order they were stored, asking for pages."""
        call = calls.ListItems(collection, filter=filter, with_vectors=with_vectors)
        async for page in self._pages(call):
            for item in page.items:
                yield item
