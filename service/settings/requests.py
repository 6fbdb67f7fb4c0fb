"""How much one request may ask for, and how long it may wait."""

from typing import Self

from pydantic import BaseModel, Field, model_validator

from service.settings.units import MIB


class RequestSettings(BaseModel):
    """Bounds of one request and of the queue."""

    max_items: int = Field(default=256, ge=1, description="Items in one request.")
    max_k: int = Field(default=1000, ge=1, description="Hits of one search.")
    max_pictures: int = Field(default=16, ge=1, description="Pictures that one request may make.")
    max_body_bytes: int = Field(
        default=128 * MIB, ge=1, description="Bytes of one request, as JSON, form or gRPC message."
    )
    max_pending_bytes: int = Field(
        default=1024 * MIB,
        ge=1,
        description="Bytes of all requests in work together; beyond, OVERLOADED is answered. gRPC "
        "gathers messages outside of that: as many of the largest as fit may take longer than two "
        "seconds to come.",
    )
    max_snapshot_bytes: int = Field(
        default=64 * 1024 * MIB,
        ge=1,
        description="Bytes of a snapshot that is sent to be restored.",
    )
    queue_size: int = Field(
        default=1024,
        ge=1,
        description="Items that may wait for one model before it answers OVERLOADED.",
    )
    pass_seconds: float = Field(
        default=0.02,
        gt=0,
        description="About how long a forward pass of several items may take, since others wait "
        "for it, unless so many do that a quarter of them (half of texts) takes longer.",
    )
    bulk_pass_seconds: float = Field(
        default=0.01,
        gt=0,
        description="The same of bulk, while interactive work has come in the last 5 seconds.",
    )
    request_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Time to embed what a request holds before DEADLINE_EXCEEDED.",
    )

    @model_validator(mode="after")
    def _check_bodies(self) -> Self:
        if self.max_pending_bytes < self.max_body_bytes:
            raise ValueError(
                f"max_pending_bytes {self.max_pending_bytes} must not be less than max_body_bytes "
                f"{self.max_body_bytes}: the largest request would never be admitted"
            )
        return self

    @model_validator(mode="after")
    def _check_queue(self) -> Self:
        if self.queue_size < self.max_items:
            raise ValueError(
                f"queue_size {self.queue_size} must not be less than max_items {self.max_items}: "
                "a full request would never be admitted"
            )
        return self
