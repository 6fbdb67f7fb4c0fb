"""A server in a process of its own: prints its addresses when it listens, ends with SIGTERM."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.serve.models import MODELS, made
from service.engine import Engine
from service.serve import Addresses, run, serve
from service.settings import Settings, load_settings


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--cache-bytes", type=int, default=0)
    chosen = parser.parse_args()
    threads = len(os.sched_getaffinity(0))

    def engine(settings: Settings) -> Engine:
        return Engine(settings, [made(chosen.model, threads, settings.forward_passes)])

    def announce(addresses: Addresses) -> None:
        sys.stdout.write(f"{addresses.http} grpc://{addresses.grpc}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as data:
        settings = load_settings(
            data=Path(data),
            port=0,
            grpc_port=0,
            log_level="warning",
            vector_cache_bytes=chosen.cache_bytes,
        )
        run(serve(settings, announce, engine))


if __name__ == "__main__":
    main()
