"""One connection to a Milvus: the only module that sees pymilvus.

Every call has a time limit. What fails says what was attempted, where, and why, and leaves nothing
behind: the next call connects anew, so that a cluster that comes back is used again.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc

from indexes.errors import StorageError, StoreUnavailable
from indexes.milvus.address import Address

INSTALL = "pip install 'pymilvus==3.0.2' 'milvus-lite==3.2.2'"

_One = TypeVar("_One")
_Result = TypeVar("_Result")

_AT_ONCE = 8
"""Calls that one question may have under way."""

_NOT_CONNECTED = 2
_NOT_FOUND = 100
_NOT_LOADED = 101
_LOADING = 600.0
"""Seconds that loading a table may take: it waits until its index is in memory."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a Milvus collection; the first one is its key.

    Attributes:
        kind: A member of pymilvus' `DataType`.
        limits: What that takes, such as "max_length" or "dim".
    """

    name: str
    kind: str
    limits: Mapping[str, int] = field(default_factory=dict)


class NoSuchTable(StorageError):
    """The Milvus has no collection of this name."""


_BACKOFF_MS = 2000
"""So long at most a connection that failed waits to be tried again; gRPC's own two minutes would
outlast the timeout of a call to a server that is back."""


class Cluster:
    """Calls a Milvus from any number of threads.

    Attributes:
        troubles: How many calls have failed: after one, a node may still be reading its log.
    """

    def __init__(self, address: Address) -> None:
        """Connects; a file of Milvus Lite is served from inside this process.

        Raises:
            StorageError: If pymilvus is not installed, or nothing usable is at the address.
        """
        self.address = address
        self.troubles = 0
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="milvus")
        self._lock = threading.Lock()
        self._client: Any = None
        self._lite = _Lite(Path(address.uri)) if address.lite else None
        try:
            self.call("open the store", "list_collections")
        except StorageError:
            self.close()
            raise

    def call(self, doing: str, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - pymilvus is untyped
        """Calls a method of `MilvusClient`; a table that a restart left unloaded is loaded first.

        Raises:
            NoSuchTable: If the collection that the call names does not exist.
            StorageError: If the call fails or takes too long.
        """
        options.setdefault("timeout", self.address.timeout)
        try:
            return self._call(doing, method, *args, **options)
        except _NotLoaded:
            self.load(args[0])
            return self._call(doing, method, *args, **options)

    def each(self, act: Callable[[_One], _Result], many: Sequence[_One]) -> list[_Result]:
        """Calls a function that makes calls with each of these, all at once.

        Raises:
            StorageError: If one of the calls fails; the others have ended then.
        """
        if len(many) < 2 or self._lite:  # which does one thing at a time anyway
            return [act(one) for one in many]
        futures = [self._pool.submit(act, one) for one in many]
        wait(futures)
        return [future.result() for future in futures]

    def create(
        self,
        table: str,
        columns: Sequence[Column],
        *,
        properties: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        """Creates a Milvus collection; it needs an index and to be loaded before it is read.

        Raises:
            StorageError: If that fails, or a different one of this name exists.
        """
        pymilvus = _pymilvus()
        schema = pymilvus.MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=False, description=description
        )
        for n, column in enumerate(columns):
            kind = getattr(pymilvus.DataType, column.kind)
            schema.add_field(column.name, kind, is_primary=n == 0, **column.limits)
        self.call(
            f"create {table}",
            "create_collection",
            table,
            schema=schema,
            num_shards=1,
            properties=dict(properties or {}),
        )

    def create_index(self, table: str, **parameters: Any) -> None:  # noqa: ANN401 - as Milvus has it
        """Gives the vectors of a table an index, which it builds by itself."""
        index = _pymilvus().MilvusClient.prepare_index_params()
        index.add_index("vector", index_name="vector", **parameters)
        self.call(f"index {table}", "create_index", table, index, sync=False)

    def has(self, table: str) -> bool:
        """Tells whether there is a Milvus collection of this name."""
        return bool(self.call(f"look for {table}", "has_collection", table))

    def load(self, table: str) -> None:
        """Brings a table into memory, where it must be before it is searched.

        Raises:
            StorageError: If that fails or takes too long.
        """
        self._call(f"load {table}", "load_collection", table, replica_number=1, timeout=_LOADING)

    def close(self) -> None:
        """Ends the connection, and the server of a file."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        if self._lite is not None:
            self._lite.close()
        self._pool.shutdown()

    def _call(self, doing: str, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        exceptions = _pymilvus().exceptions
        client = None
        try:
            client = self._connected()
            return getattr(client, method)(*args, **options)
        except exceptions.MilvusException as error:
            away = not isinstance(error.code, int) or error.code == _NOT_CONNECTED
            other = StoreUnavailable if away else StorageError
            kind = {_NOT_FOUND: NoSuchTable, _NOT_LOADED: _NotLoaded}.get(error.code, other)
            if kind is not NoSuchTable:
                self.troubles += 1
            if away:
                self._forget(client)
            raise kind(self._told(doing, error.message)) from error
        except grpc.RpcError as error:
            self.troubles += 1
            self._forget(client)
            raise StoreUnavailable(self._told(doing, _reason(error))) from error

    def _connected(self) -> Any:  # noqa: ANN401
        with self._lock:
            if self._client is None:
                uri = self._lite.uri if self._lite else self.address.uri
                self._client = _pymilvus().MilvusClient(
                    uri,
                    token=self.address.token,
                    db_name=self.address.database,
                    timeout=self.address.timeout,
                    dedicated=True,
                    grpc_options={"grpc.max_reconnect_backoff_ms": _BACKOFF_MS},
                )
            return self._client

    def _forget(self, client: Any) -> None:  # noqa: ANN401
        """Makes the next call connect anew; other threads may have done so already."""
        with self._lock:
            if client is not self._client or client is None:
                return
            self._client = None
        client.close()

    def _told(self, doing: str, reason: str) -> str:
        return f"cannot {doing} on Milvus at {self.address.where}: {reason}"


class _NotLoaded(StorageError):
    """The table is not in memory, as after a restart."""


class _Lite:
    """Milvus Lite, serving one file to this process alone."""

    def __init__(self, path: Path) -> None:
        """Starts it.

        Raises:
            StorageError: If it is not installed, or the file cannot be used.
        """
        try:
            from milvus_lite.adapter.grpc.server import start_server_in_thread
            from milvus_lite.exceptions import MilvusLiteError
        except ImportError as error:
            raise StorageError(f"Milvus Lite is not installed: {INSTALL}") from error
        try:
            self._server, self._database, port = start_server_in_thread(str(path), "127.0.0.1")
        except (MilvusLiteError, OSError) as error:
            raise StorageError(f"the file {path} cannot be used: {error}") from error
        self.uri = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """Stops it; what was acknowledged is on disk."""
        self._server.stop(grace=2).wait()
        self._database.close()


def _pymilvus() -> Any:  # noqa: ANN401
    """Imports pymilvus when a Milvus is used: without one, nobody needs it."""
    try:
        import pymilvus
    except ImportError as error:
        raise StorageError(f"pymilvus is not installed: {INSTALL}") from error
    # It logs a traceback for each error that it raises; ours are raised, and logged once.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    return pymilvus


def _reason(error: grpc.RpcError) -> str:
    """Returns what a call says of its failure, which not every such error does."""
    code = getattr(error, "code", lambda: None)()
    return f"{code.name.lower().replace('_', ' ')}" if code else repr(error)
