"""What gRPC hands to every call beside its message."""

from typing import Any

Context = Any
"""grpc.aio.ServicerContext, which has no types."""
