"""Where the service keeps what it is given and what it derives."""

import os
from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from service.settings.units import MIB


class StorageSettings(BaseModel):
    """Folders and addresses; each folder of the server's own lies in the data folder."""

    data: Path = Field(default=Path("kindred-data"), description="Folder of the collections.")
    store: str = Field(
        default="",
        description="Where collections are kept instead of the data folder: another folder, "
        "milvus://HOST:19530, or milvus:FILE.db for Milvus Lite.",
    )
    keep_content: bool = Field(
        default=True, description="Keep media beside vectors, so that a search page can show them."
    )
    snapshots: Path = Field(
        default=Path(".snapshots"),
        description="Folder of the server's snapshots; a relative one lies in the data folder.",
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
    cache: Path = Field(
        default=Path("~/.cache/kindred"),
        validate_default=True,
        description="Folder of what is derived from weights once, so that starts are fast.",
    )

    graph_cache_bytes: int = Field(
        default=8 * 1024 * MIB,
        ge=0,
        description="Bytes of graphs derived from weights that are kept in the cache folder; those "
        "used longest ago make room, and those in use stay whatever they take.",
    )

    @field_validator("store", mode="after")
    @classmethod
    def _known(cls, address: str) -> str:
        """Refuses what would only make a folder of an odd name."""
        if "://" in address and not address.startswith("milvus://"):
            raise ValueError("a store is a folder, milvus://HOST:PORT or milvus:FILE.db")
        return address

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
