"""A server of the tiny model in a process of its own, which is to be killed."""

import sys
from pathlib import Path

from service.engine import Engine
from service.serve import Addresses, run, serve
from service.settings import Settings
from tests.fakes import FakeEmbedder


def announce(addresses: Addresses) -> None:
    sys.stdout.write(f"{addresses.http}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    settings = Settings(data=Path(sys.argv[1]), port=0, grpc_port=0, log_level="error")
    run(serve(settings, announce, lambda told: Engine(told, [FakeEmbedder()])))
