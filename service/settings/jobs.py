"""Jobs: where they are kept, what they may read, and how much they take."""

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from service.settings.lists import Folders


class JobSettings(BaseModel):
    """Long work that goes on beside requests."""

    jobs: Path = Field(
        default=Path(".jobs"),
        description="Folder of what is kept of jobs; a relative one lies in the data folder.",
    )
    job_folders: Folders = Field(
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

    @field_validator("job_folders", mode="after")
    @classmethod
    def _folders(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        """Refuses what depends on where the server was started, and what is not there."""
        if wrong := [str(folder) for folder in folders if not folder.is_absolute()]:
            raise ValueError(f"job_folders must be absolute paths, got {', '.join(wrong)}")
        if wrong := [str(folder) for folder in folders if not folder.is_dir()]:
            raise ValueError(f"job_folders must be folders that exist, got {', '.join(wrong)}")
        return folders
