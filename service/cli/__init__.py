"""The command line: what the service can do, for people and for scripts."""

from service.cli.app import app

__all__ = ["app"]
