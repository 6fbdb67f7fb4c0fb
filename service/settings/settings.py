"""Every setting together, and where they are read from."""

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from embedder.runtime.base import Placement
from service.settings.compute import ComputeSettings
from service.settings.jobs import JobSettings
from service.settings.media import MediaSettings
from service.settings.network import NetworkSettings
from service.settings.observability import ObservabilitySettings
from service.settings.requests import RequestSettings
from service.settings.storage import StorageSettings

PREFIX = "KINDRED_"
"""How settings begin in the environment."""


class SettingsError(Exception):
    """A setting breaks its rule; the message names every one that does."""


# Pydantic lists the fields of the last base first: so they stand in `--help` and in SETTINGS.md.
class Settings(
    ObservabilitySettings,
    JobSettings,
    MediaSettings,
    RequestSettings,
    ComputeSettings,
    StorageSettings,
    NetworkSettings,
    BaseSettings,
):
    """Where the service listens, what it serves and how much it takes.

    Build it with `load_settings`, which words its errors for people.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, toml_file="kindred.toml", extra="forbid", frozen=True
    )

    @property
    def jobs_path(self) -> Path:
        """The folder of what is kept of jobs."""
        return self.data / self.jobs

    @property
    def key_file(self) -> Path:
        """The file of the keys."""
        return self.data / self.keys

    @property
    def placement(self) -> Placement:
        """Where and how forward passes run."""
        return Placement(
            device=self.device,
            threads=self.forward_threads,
            passes=self.forward_passes,
            runtime=None if self.runtime == "auto" else self.runtime,
            cache=self.cache,
            cache_bytes=self.graph_cache_bytes,
            precision=self.precision,
            least_fidelity=self.least_fidelity,
        )

    @model_validator(mode="after")
    def _check_folders(self) -> Self:
        """Refuses a file where a folder is to be, before somebody asks for what would be in it."""
        folders = {
            "data": self.data,
            "cache": self.cache,
            "snapshots": self.snapshot_folder,
            "adapters": self.adapter_folder,
            "jobs": self.jobs_path,
        }
        for name, path in folders.items():
            whole = path.absolute()
            there = next(it for it in (whole, *whole.parents) if os.path.lexists(it))
            if not there.is_dir():
                raise ValueError(f"{name} must be a folder, got {path}: {there} is none")
        return self

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


def misspelt() -> Iterator[tuple[str, str]]:
    """Yields variables of the environment that look like settings, each with what may be meant.

    A key of the file or a flag that is unknown is refused. A variable is not: others have a right
    to the prefix, such as Kubernetes, which tells of a service called kindred in KINDRED_PORT_...
    """
    known = [f"{PREFIX}{name}".upper() for name in Settings.model_fields]
    for name in os.environ:
        close = get_close_matches(name, known, n=1, cutoff=0.9)
        if close and name.startswith(PREFIX) and name not in known:
            yield name, close[0]


def _sentence(error: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    name = ".".join(str(part) for part in error["loc"]) or "settings"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" + (f", got {error['input']!r}" if error["loc"] else "")
