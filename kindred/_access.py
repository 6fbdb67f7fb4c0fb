"""What a client shows to a server, and what it believes of one."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import grpc

from kindred._errors import InvalidArgument


@dataclass(frozen=True)
class Tls:
    """Whose certificate is believed, and which is shown. Files are PEM.

    Attributes:
        ca: Authorities that the server's certificate may be of; None means the system's.
        certificate: The client's own, for a server that asks for one; with `key`.
        key: Its private key.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidArgument("certificate and key belong together: give both or neither")


@dataclass(frozen=True)
class Access:
    """All that a wire needs to know to reach a server and be let in.

    Attributes:
        target: "http://...", "https://..." for REST; "host:port" for gRPC.
        secure: Whether the connection is encrypted.
        api_key: A key of `kindred keys create`; None where none must be shown.
        tls: Of an encrypted connection.
    """

    target: str
    is_rest: bool
    secure: bool
    api_key: str | None
    tls: Tls

    @classmethod
    def of(cls, address: str, api_key: str | None, tls: Tls | None) -> "Access":
        """Returns what an address means.

        Raises:
            InvalidArgument: If it is none, if TLS is set up for one that does not use it, or if the
                key can't be sent.
        """
        scheme, _, rest = address.rpartition("://")
        is_rest, secure = scheme in ("http", "https"), scheme in ("https", "grpcs")
        is_rpc = scheme in ("", "grpc", "grpcs") and rest.rpartition(":")[2].isdecimal()
        if not (is_rest or is_rpc) or not _has_host_and_port(f"//{rest}"):
            raise InvalidArgument(
                "address must be host:port, grpc://host:port, grpcs://host:port, http://... or "
                f"https://..., got {address!r}"
            )
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise InvalidArgument("api_key must be of printable ASCII characters")
        if tls and not secure:
            raise InvalidArgument(f"tls takes an address of https:// or grpcs://, got {address!r}")
        return cls(address if is_rest else rest, is_rest, secure, api_key, tls or Tls())

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries, as HTTP headers or as gRPC metadata."""
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """What httpx verifies a server with.

        Raises:
            InvalidArgument: If a file of `tls` is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.tls.ca)
            if self.tls.certificate is not None:
                context.load_cert_chain(self.tls.certificate, self.tls.key)
        except OSError as error:
            raise InvalidArgument(f"{self.tls} must be of PEM files: {error}") from error
        return context

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC verifies a server with.

        Raises:
            InvalidArgument: If a file of `tls` is not what it should be.
        """
        if self.tls != Tls():
            self.ssl_context  # noqa: B018 - of a bad file, gRPC says nothing before it connects
        return grpc.ssl_channel_credentials(
            _bytes(self.tls.ca), _bytes(self.tls.key), _bytes(self.tls.certificate)
        )


def _has_host_and_port(address: str) -> bool:
    """Tells whether an address names a host, and if a port, one that there may be."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _bytes(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
