"""The clients: lists of calls, over either wire, blocking or awaited.

Calls are values (`kindred._calls`) and a wire carries any of them, so a method here only says which
call it makes. Neither client wraps the other: the blocking one needs no event loop and no thread.
"""

import copy
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from kindred import _calls as calls
from kindred import _conditions as conditions
from kindred import _jobs as jobs
from kindred import _snapshots as snapshots
from kindred._access import Access, Tls
from kindred._answers import StoredItem
from kindred._calls import Call
from kindred._rest.wire import AsyncRest, Rest
from kindred._rpc.wire import AsyncRpc, Rpc

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 60.0
"""Seconds."""


def _blocking(call: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(call(*args, **kwargs))

    return _described(method, call)


def _awaited(
    call: Callable[P, Call[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._send(call(*args, **kwargs))

    return _described(method, call)


def _described(method: F, call: Callable[..., Any]) -> F:
    """Gives a method the docstring and the arguments of its call, for people who ask `help`."""
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    arguments = inspect.signature(call).parameters.values()
    method.__doc__ = call.__doc__
    vars(method)["__signature__"] = inspect.Signature([this, *arguments])
    return method


def _named(cls: type[T]) -> type[T]:
    """Gives each method of a client the name that it has there."""
    for name, method in vars(cls).items():
        if inspect.isfunction(method):
            method.__name__, method.__qualname__ = name, f"{cls.__name__}.{name}"
    return cls


def _untold(_: int) -> None:
    """Hears of progress and does nothing."""


@_named
class Client:
    """Asks a Kindred server and waits for the answer. May be shared by threads.

    Args:
        address: "host:port", "grpc://host:port" or, with TLS, "grpcs://host:port" for gRPC;
            "http://..." or "https://..." for REST.
        api_key: A key of `kindred keys create`, for a server that asks for one.
        tls: For a server whose certificate the system does not know, or that asks for ours.
        timeout: Seconds to wait for an answer; None means forever. Over REST these are seconds
            without any progress; over gRPC the file of a snapshot takes as long as it takes.

    Every failure is a `KindredError`. Nothing is tried twice.
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
        self._wire: Rpc | Rest = Rest(access) if access.is_rest else Rpc(access)
        self._timeout = timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._wire.close()

    def with_timeout(self, seconds: float | None) -> Self:
        """Returns a client on this one's connection that waits for so long."""
        other = copy.copy(self)
        other._timeout = seconds
        return other

    def _send(self, call: Call[T]) -> T:
        return self._wire.send(call, self._timeout)

    def _pages(self, call: calls.ListItems | jobs.ListJobErrors) -> Iterator[Any]:
        page: Any = self._send(call)
        yield page
        while page.next_page_token:
            page = self._send(replace(call, page_token=page.next_page_token))
            yield page

    health = _blocking(calls.Health)
    models = _blocking(calls.ListModels)
    get_model = _blocking(calls.GetModel)
    embed = _blocking(calls.Embed)
    rank = _blocking(calls.Rank)
    create_collection = _blocking(calls.CreateCollection)
    list_collections = _blocking(calls.ListCollections)
    get_collection = _blocking(calls.GetCollection)
    update_collection = _blocking(calls.UpdateCollection)
    delete_collection = _blocking(calls.DeleteCollection)
    upsert = _blocking(calls.Upsert)
    upload = _blocking(calls.upload)
    delete_items = _blocking(calls.DeleteItems)
    get_item = _blocking(calls.GetItem)
    get_content = _blocking(calls.GetContent)
    search = _blocking(calls.Search)
    item_page = _blocking(calls.ListItems)
    score_items = _blocking(conditions.ScoreItems)
    generate = _blocking(conditions.Generate)
    profiles = _blocking(conditions.ListProfiles)
    get_profile = _blocking(conditions.GetProfile)
    condition = _blocking(conditions.Condition)
    condition_file = _blocking(conditions.condition_file)
    create_job = _blocking(jobs.CreateJob)
    get_job = _blocking(jobs.GetJob)
    list_jobs = _blocking(jobs.ListJobs)
    cancel_job = _blocking(jobs.CancelJob)
    job_error_page = _blocking(jobs.ListJobErrors)
    take_snapshot = _blocking(snapshots.TakeSnapshot)
    restore_snapshot = _blocking(snapshots.RestoreSnapshot)
    list_snapshots = _blocking(snapshots.ListSnapshots)
    delete_snapshot = _blocking(snapshots.DeleteSnapshot)
    upload_snapshot = _blocking(snapshots.upload_snapshot)

    def watch_job(self, id: str) -> Iterator[jobs.Job]:
        """Yields a job as it is and whenever it gets on, until it is over or the server stops.

        Raises:
            NotFound: If there is none of this id.
        """
        return self._wire.watch(jobs.WatchJob(id))

    def list_job_errors(self, id: str) -> Iterator[jobs.JobError]:
        """Yields what went wrong with items of a job, in the order it happened.

        Raises:
            NotFound: If there is no such job.
        """
        for page in self._pages(jobs.ListJobErrors(id)):
            yield from page.errors

    def snapshot_pieces(self, name: str) -> Iterator[bytes]:
        """Yields the file of a snapshot, piece by piece."""
        return self._wire.stream(snapshots.DownloadSnapshot(name), self._timeout)

    def download_snapshot(
        self, name: str, path: str | Path, *, moved: Callable[[int], object] = _untold
    ) -> None:
        """Writes the file of a snapshot to a path, where there must be none.

        Args:
            name: The snapshot.
            path: Where to.
            moved: Called with the number of bytes so far.

        Raises:
            NotFound: If there is no such snapshot.
            FileExistsError: If there is a file.
        """
        with snapshots.Download(path, moved) as file:
            for piece in self.snapshot_pieces(name):
                file.write(piece)

    def list_items(
        self,
        collection: str,
        *,
        filter: calls.Filter | None = None,
        with_vectors: bool = False,
    ) -> Iterator[StoredItem]:
        """Yields the items of a collection in the order they were stored, asking for pages."""
        call = calls.ListItems(collection, filter=filter, with_vectors=with_vectors)
        for page in self._pages(call):
            yield from page.items


@_named
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
    delete_collection = _awaited(calls.DeleteCollection)
    upsert = _awaited(calls.Upsert)
    upload = _awaited(calls.upload)
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
        self, name: str, path: str | Path, *, moved: Callable[[int], object] = _untold
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
