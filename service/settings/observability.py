"""What operators get to see."""

from pydantic import BaseModel, Field


class ObservabilitySettings(BaseModel):
    """Readiness, traces and logs."""

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
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="Least level logged. Each request is a line of info; who changed what is "
        "logged whatever it is.",
    )
