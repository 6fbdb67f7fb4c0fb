"""The command line with a fake model, and with decoders that hang at whatever they are given.

python -m tests.service.hanging_cli ARGUMENTS...
"""

import functools
import sys
from unittest import mock

from service.cli import app
from service.decoding.pool import DecodePool
from service.decoding.tracks import SoundTracks
from service.engine import Engine
from service.settings import Settings
from tests.fakes import FakeEmbedder


def open_fake(settings: Settings) -> Engine:
    """Makes an engine of the fake model."""
    return Engine(settings, [FakeEmbedder()])


if __name__ == "__main__":
    hanging = "tests.service.bad_decoders:hang"
    with (
        mock.patch("service.models.DecodePool", functools.partial(DecodePool, decoder=hanging)),
        mock.patch(
            "service.ingest.tracks.SoundTracks", functools.partial(SoundTracks, copier=hanging)
        ),
    ):
        app(sys.argv[1:], obj=open_fake)
