"""Every option of the service, and the only place that reads the environment.

A flag goes before the environment (`KINDRED_...`), the environment before `kindred.toml` in the
working directory, the file before the default. A wrong value stops the start by name and rule.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from embedder.runtime.base import PRECISIONS, Placement

MIB = 1024 * 1024
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s*]+")


class SettingsError(Exception):
    """A setting breaks its rule; the message names every one that does."""


class Settings(BaseSettings):
    """Where the service listens, what it serves and how much it takes.

    Build it with `load_settings`, which words its errors for people.
    """

    model_config = SettingsConfigDict(
        env_prefix="KINDRED_", toml_file="kindred.toml", extra="forbid", frozen=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="REST port; 0 picks a free one.")
    grpc_port: int = Field(
        default=50051, ge=0, le=65535, description="gRPC port; 0 picks a free one."
    )
    allow_anonymous: bool = Field(
        default=False, description="Listen beyond loopback although nobody has to show a key."
    )
    keys: Path = Field(
        default=Path(".keys.json"),
        description="File of the keys; a relative one lies in the data folder. Once it has one, "
        "every caller has to show one.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
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
    data: Path = Field(default=Path("kindred-data"), description="Folder of the collections.")
    store: str = Field(
        default="",
        description="Where collections are kept instead of the data folder: another folder, "
        "milvus://HOST:19530, or milvus:FILE.db for Milvus Lite.",
    )
    adapters: Path = Field(
        default=Path(".adapters"),
        description="Folder of the adapters that lead to generators, which `kindred profile fit` "
        "makes; a relative one lies in the data folder.",
    )
    generator: Path | None = Field(
        default=None,
        description="Weights of the generator of small pictures; by default the bundled ones.",
    )
    max_pictures: int = Field(default=16, ge=1, description="Pictures that one request may make.")
    snapshots: Path = Field(
        default=Path(".snapshots"),
        description="Folder of the server's snapshots; a relative one lies in the data folder.",
    )
    jobs: Path = Field(
        default=Path(".jobs"),
        description="Folder of what is kept of jobs; a relative one lies in the data folder.",
    )
    job_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Folders that jobs may read files from, at any depth; by default none.",
    )
    job_workers: int = Field(default=1, ge=1, description="Jobs that are worked on at a time.")
    job_errors: int = Field(
        default=10_000, ge=0, description="Items of a job of which is kept what went wrong."
    )
    max_job_items: int = Field(
        default=10_000_000, ge=1, description="Files that one job may bring in."
    )
    max_jobs: int = Field(
        default=1000,
        ge=1,
        description="Jobs that are kept: the oldest that are over make room for new ones.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("kindred-mini",),
        min_length=1,
        description="Models to serve, the default one first.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="Threads of a forward pass; 0 means one per CPU of this process.",
    )
    runtime: str = Field(
        default="auto",
        pattern="^(auto|openvino|onnx|torch)$",
        description="What runs forward passes: openvino, onnx, torch, or auto for the fastest "
        "installed.",
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?|mps)$",
        description="Where forward passes run: cpu, cuda, cuda:1 or mps.",
    )
    precision: str = Field(
        default="auto",
        pattern=f"^({'|'.join(PRECISIONS)})$",
        description="What forward passes compute in: fp32, bf16, fp16, or auto for what suits the "
        "device. Vectors stay comparable: it is no part of a space.",
    )
    least_fidelity: float = Field(
        default=0.999,
        ge=-1,
        le=1,
        description="Least cosine to float32 that a runtime or precision must have on probes of a "
        "model; below, the model is not served.",
    )
    cache: Path = Field(
        default=Path("~/.cache/kindred"),
        validate_default=True,
        description="Folder of what is derived from weights once, so that starts are fast.",
    )
    keep_content: bool = Field(
        default=True, description="Keep media beside vectors, so that a search page can show them."
    )

    max_item_bytes: int = Field(default=32 * MIB, ge=1, description="Bytes of one encoded item.")
    max_pixels: int = Field(
        default=64_000_000, ge=1, description="Pixels of a picture, checked before it is decoded."
    )
    max_audio_seconds: float = Field(default=600.0, gt=0, description="Seconds of a sound.")
    max_video_seconds: float = Field(default=600.0, gt=0, description="Seconds of a film.")
    max_video_frames: int = Field(
        default=36_000, ge=1, description="Frames of a film, counted before any is decoded."
    )
    max_video_pixels: int = Field(
        default=40_000_000_000,
        ge=1,
        description="Pixels of all frames of a film together: what bounds the time to decode it.",
    )
    window_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Length of the windows of longer sounds and films; they overlap by half.",
    )
    max_windows: int = Field(
        default=256, ge=2, description="Windows of one item; of what is so long, they are longer."
    )
    max_items: int = Field(default=256, ge=1, description="Items in one request.")
    max_k: int = Field(default=1000, ge=1, description="Hits of one search.")
    max_body_bytes: int = Field(
        default=128 * MIB, ge=1, description="Bytes of one request, as JSON, form or gRPC message."
    )
    max_connections: int = Field(
        default=4096, ge=1, description="REST connections; more are answered 503 at once."
    )
    header_seconds: float = Field(
        default=10.0, gt=0, description="Time to send a REST request's headers before it is cut."
    )
    body_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time to send a REST request's body; of a snapshot, each piece of it.",
    )
    max_snapshot_bytes: int = Field(
        default=64 * 1024 * MIB,
        ge=1,
        description="Bytes of a snapshot that is sent to be restored.",
    )
    exact_rows: int = Field(
        default=50_000,
        ge=0,
        description="Up to so many items of a modality are compared one by one; beyond, a "
        "collection builds approximate indexes.",
    )
    search_threads: int = Field(
        default=2, ge=1, description="Threads that compare many items together."
    )
    recall_target: float = Field(
        default=0.97,
        gt=0,
        le=1,
        description="Share of the true ten nearest that approximate searches of a new collection "
        "must find.",
    )
    density_items: int = Field(
        default=10_000,
        ge=20,
        description="Items of a modality, drawn from all, that a density is fitted to.",
    )
    queue_size: int = Field(
        default=1024,
        ge=1,
        description="Items that may wait for one model before it answers OVERLOADED.",
    )
    decode_threads: int = Field(
        default=2, ge=1, description="Threads that decode and preprocess beside the forward pass."
    )
    decode_workers: int = Field(
        default=2,
        ge=0,
        description="Processes in which media are decoded, so that a decoder that hangs or dies "
        "costs its item alone; 0 decodes in threads of the server, at its risk.",
    )
    decode_seconds: float = Field(
        default=30.0, gt=0, description="Time to decode one item before its process is ended."
    )
    decode_bytes: int = Field(
        default=2048 * MIB,
        ge=16 * MIB,
        description="Memory that decoding one item may take in its process; kept to on Linux.",
    )
    vector_cache_bytes: int = Field(
        default=64 * MIB,
        ge=0,
        description="Bytes of vectors remembered by what they were made of, so that it is not "
        "embedded again; 0 remembers none.",
    )
    request_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time to embed what a request holds before DEADLINE_EXCEEDED.",
    )
    ready_seconds: float = Field(
        default=10.0, ge=0, description="How long a readiness probe's finding is believed."
    )
    traces: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="OpenTelemetry collector that gets traces over OTLP/HTTP, such as "
        "http://localhost:4318; none by default.",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least level logged."
    )

    @field_validator("models", "cors_origins", "job_folders", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Takes "a,b" for ("a", "b"), as the environment has no lists."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("store", mode="after")
    @classmethod
    def _known(cls, address: str) -> str:
        """Refuses what would only make a folder of an odd name."""
        if "://" in address and not address.startswith("milvus://"):
            raise ValueError("a store is a folder, milvus://HOST:PORT or milvus:FILE.db")
        return address

    @field_validator("job_folders", mode="after")
    @classmethod
    def _absolute(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        """Refuses what depends on where the server was started."""
        if wrong := [str(folder) for folder in folders if not folder.is_absolute()]:
            raise ValueError(f"job_folders must be absolute paths, got {', '.join(wrong)}")
        return folders

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuses what no browser sends as its origin, and so would silently let nobody in."""
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is SCHEME://HOST or SCHEME://HOST:PORT, without a path")
        return origins

    @field_validator("generator", mode="after")
    @classmethod
    def _there(cls, path: Path | None) -> Path | None:
        """Refuses weights that are not there, before somebody asks for a picture."""
        if path and not path.is_file():
            raise ValueError("the file of the generator's weights must exist")
        return path

    @field_validator("cache", mode="after")
    @classmethod
    def _at_home(cls, folder: Path) -> Path:
        """Takes ~ for the user's home folder; where nobody knows that one, it stays as it is."""
        return Path(os.path.expanduser(folder))

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        if self.queue_size < self.max_items:
            raise ValueError(
                f"queue_size {self.queue_size} must not be less than max_items {self.max_items}: "
                "a full request would never be admitted"
            )
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca takes a tls_certificate: without TLS nobody shows one")
        for path in (self.tls_certificate, self.tls_key, self.tls_client_ca):
            if path and not path.is_file():
                raise ValueError(f"a file of TLS must exist, there is no {path}")
        return self

    @property
    def store_address(self) -> str | Path:
        """Where collections are kept."""
        return self.store or self.data

    @property
    def adapter_folder(self) -> Path:
        """The folder of the adapters."""
        return self.data / self.adapters

    @property
    def snapshot_folder(self) -> Path:
        """The folder of the server's own snapshots."""
        return self.data / self.snapshots

    @property
    def jobs_path(self) -> Path:
        """The folder of what is kept of jobs."""
        return self.data / self.jobs

    @property
    def key_file(self) -> Path:
        """The file of the keys."""
        return self.data / self.keys

    @property
    def forward_threads(self) -> int:
        """Threads of a forward pass, resolved for this machine."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def placement(self) -> Placement:
        """Where and how forward passes run."""
        return Placement(
            device=self.device,
            threads=self.forward_threads,
            runtime=None if self.runtime == "auto" else self.runtime,
            cache=self.cache,
            precision=self.precision,
            least_fidelity=self.least_fidelity,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Orders the sources: flags, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:  # noqa: ANN401 - one type per option
    """Returns the settings; a flag that is None was not given.

    Raises:
        SettingsError: If a value breaks its rule, or a flag or a key of the file is unknown.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(e) for e in error.errors())) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"kindred.toml is not TOML: {error}") from error


def _sentence(error: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    name = ".".join(str(part) for part in error["loc"]) or "settings"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" + (f", got {error['input']!r}" if error["loc"] else "")
