"""A server whose models stop after so many items, in a process of its own, which is to be killed.

python -m tests.service.jobs.victim DATA FILES [FREE]
"""

import sys
from pathlib import Path

from service.engine import Engine
from service.serve import Addresses, run, serve
from service.settings import Settings
from tests.service.jobs.counting import CountingEmbedder

FREE = 40


def announce(addresses: Addresses) -> None:
    sys.stdout.write(f"{addresses.http}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    settings = Settings.model_validate(
        {
            "data": Path(sys.argv[1]),
            "job_folders": (Path(sys.argv[2]),),
            "port": 0,
            "grpc_port": 0,
            "decode_workers": 0,
            "log_level": "error",
        }
    )
    free = int(sys.argv[3]) if len(sys.argv) > 3 else FREE
    models = [CountingEmbedder(free), CountingEmbedder(free, "second")]
    run(serve(settings, announce, lambda told: Engine(told, models)))
