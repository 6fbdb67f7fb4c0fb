"""Where the service listens, who may reach it, and how long it waits for them."""

import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from service.settings.lists import Names

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+")


class NetworkSettings(BaseModel):
    """Addresses, keys, TLS, and what a connection may cost."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="REST port; 0 picks a free one.")
    grpc_port: int = Field(
        default=50051, ge=0, le=65535, description="gRPC port; 0 picks a free one."
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        description="How long readiness is red and everybody answered all the same, once the "
        "server is told to stop, before connections are refused: as long as balancers take to "
        "notice.",
    )
    allow_anonymous: bool = Field(
        default=False, description="Listen beyond loopback although nobody has to show a key."
    )
    keys: Path = Field(
        default=Path(".keys.json"),
        description="File of the keys; a relative one lies in the data folder. Once it has one, "
        "every caller has to show one.",
    )
    cors_origins: Names = Field(
        default=(),
        description="Origins whose pages may call, such as https://example.org; by default none.",
    )
    tls_certificate: Path | None = Field(
        default=None, description="Certificate chain (PEM) of both transports; with tls_key."
    )
    tls_key: Path | None = Field(default=None, description="Private key (PEM) of the certificate.")
    tls_client_ca: Path | None = Field(
        default=None,
        description="Authorities (PEM) of clients' certificates: a client without one is refused.",
    )
    max_connections: int = Field(
        default=4096,
        ge=1,
        description="Connections of each transport. Where more come over REST, those that wait for "
        "a request are closed, the longest waiting first; where none waits, 503 is answered at "
        "once. Where more come over gRPC, they are refused. Where the process may have fewer files "
        "open (`ulimit -Hn`), so many give way, and gRPC takes a quarter of those at most.",
    )
    max_streams: int = Field(
        default=1024,
        ge=1,
        description="Calls of one gRPC connection at a time; its client holds back further ones.",
    )
    idle_seconds: float = Field(
        default=300.0,
        ge=1,
        description="Time without calls before a gRPC connection is closed, to make room.",
    )
    max_header_bytes: int = Field(
        default=64 * 1024,
        ge=1024,
        description="Bytes of a REST request's line and headers, and of trailers behind its body.",
    )
    max_pipelined: int = Field(
        default=100,
        ge=1,
        description="REST requests that may wait on a connection behind the one that is answered; "
        "it is cut if more do.",
    )
    header_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Time to send a REST request's headers, or to begin a gRPC connection, before "
        "it is cut.",
    )
    body_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time to send a REST request's body, or a gRPC message; of a snapshot, each "
        "piece of it; and to take some of a REST answer.",
    )

    @field_validator("host", mode="after")
    @classmethod
    def _bare(cls, host: str) -> str:
        """Takes an IPv6 address as URLs have it, too."""
        if not (bare := host.removeprefix("[").removesuffix("]")):
            raise ValueError("the host must be an address of this machine, or 0.0.0.0 for each")
        return bare

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuses what no browser sends as its origin, and so would silently let nobody in."""
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is SCHEME://HOST or SCHEME://HOST:PORT, without a path")
        return origins

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca takes a tls_certificate: without TLS nobody shows one")
        for path in (self.tls_certificate, self.tls_key, self.tls_client_ca):
            if path and not path.is_file():
                raise ValueError(f"a file of TLS must exist, there is no {path}")
        return self
