"""The client that waits: a list of calls, over either wire.

Calls are values (`kindred._calls`) and a wire carries any of them, so a method here only says which
call it makes. Neither client wraps the other: this one needs no event loop and no thread.
"""

import copy
from collections.abc import Callable, Iterator
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
from kindred._rest.wire import Rest
from kindred._rpc.wire import Rpc
from kindred._uploads import upload

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(call: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._send(call(*args, **kwargs))

    return described(method, call)


@named
class Client:
    """Asks a Kindred server and waits for the answer. May be shared by threads.

    Args:
        address: "host:port", "grpc://host:port" or, with TLS, "grpcs://host:port" for gRPC;
            "http://..." or "https://..." for REST.
        api_key: A key of `kindred keys create`, for a server that asks for one.
        tls: For a server whose certificate the system does not know, or that asks for ours.
        timeout: Seconds to wait for an answer; None means forever. Over REST, and of the file of a
            snapshot, these are seconds without any progress.

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
    rename_collection = _blocking(aliases.RenameCollection)
    delete_collection = _blocking(calls.DeleteCollection)
    set_alias = _blocking(aliases.SetAlias)
    list_aliases = _blocking(aliases.ListAliases)
    delete_alias = _blocking(aliases.DeleteAlias)
    upsert = _blocking(calls.Upsert)
    upload = _blocking(upload)
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
        self, name: str, path: str | Path, *, moved: Callable[[int], object] = untold
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
