"""Where a Milvus is and how it is to be used, read from an address."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from indexes.errors import StorageError

Consistency = Literal["visible", "strong", "bounded"]
IndexChoice = Literal["auto", "flat", "hnsw"]

SCHEME = "milvus:"

_CHOICES = {("consistency", value) for value in get_args(Consistency)} | {
    ("index", value) for value in get_args(IndexChoice)
}
_FORMS = (
    "milvus://HOST[:19530][/DATABASE][?consistency=...&index=...&timeout=...] or milvus:FILE.db"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A Milvus.

    Attributes:
        uri: What pymilvus connects to: a URL, or the path of a file of Milvus Lite.
        where: The same for messages, without secrets.
        token: "user:password", or nothing.
        database: Of that Milvus; nothing means its default one.
        consistency: What a search waits for. "visible": nothing, since a write is acknowledged
            only when every search finds it. "strong": all that was written before it, anywhere;
            the server's time tick later (200 ms by default). "bounded": nothing, and neither do
            writes, so that what was stored a moment ago may not be found yet.
        index: "flat" is exact; "hnsw" is approximate, and many times as fast above some 100,000
            items of a modality; "auto" starts flat and changes when a large one is opened.
        timeout: Seconds that a call may take, retries included.
    """

    uri: str
    where: str
    token: str = ""
    database: str = ""
    consistency: Consistency = "visible"
    index: IndexChoice = "auto"
    timeout: float = 10.0

    @property
    def lite(self) -> bool:
        """Whether it is a file of Milvus Lite, where every read sees every write."""
        return "://" not in self.uri


def parse_address(text: str) -> Address:
    """Reads the address of a Milvus.

    Raises:
        StorageError: If it is none.
    """
    parts = urlsplit(text)
    if not text.startswith(SCHEME + "//"):
        path = text.removeprefix(SCHEME).partition("?")[0]
        if not path.endswith(".db"):
            raise StorageError(f"a store on Milvus is {_FORMS}; got {text!r}")
        return _chosen(Address(str(Path(path).absolute()), f"the file {path}"), parts)
    place = text.rpartition("@")[2].partition("?")[0].removeprefix(SCHEME + "//")
    try:
        host, port = parts.hostname, parts.port or 19530
    except ValueError as error:
        raise StorageError(f"a port is a number up to 65535, got {place!r}") from error
    if not host:
        raise StorageError(f"a store on Milvus is {_FORMS}; got no host in {place!r}")
    host = f"[{host}]" if ":" in host else host
    token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    address = Address(
        f"http://{host}:{port}", f"{host}:{port}", token=token, database=parts.path.strip("/")
    )
    return _chosen(address, parts)


def _chosen(address: Address, parts: SplitResult) -> Address:
    """Returns the address with the options of the query."""
    options: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if (name, value) in _CHOICES:
            options[name] = value
        elif name == "timeout":
            options[name] = _seconds(value)
        elif name == "tls" and value in ("true", "false"):
            scheme = "https" if value == "true" else "http"
            options["uri"] = f"{scheme}:{address.uri.removeprefix('http:')}"
        else:
            raise StorageError(
                "options of a store on Milvus are consistency (visible, strong, bounded), index "
                f"(auto, flat, hnsw), timeout (seconds) and tls (true, false); got {name}={value}"
            )
    return replace(address, **options)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise StorageError(f"timeout is a number of seconds up to 3600, got {text!r}")
    return value
