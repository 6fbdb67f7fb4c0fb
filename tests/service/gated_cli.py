"""The command line with a fake model that stops after its first items until a file appears.

python -m tests.service.gated_cli GATE ARGUMENTS...
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.media import Modality
from service.cli import app
from service.engine import Engine
from service.settings import Settings
from tests.fakes import FakeEmbedder

FREE_ITEMS = 64


class GatedEmbedder(FakeEmbedder):
    """Embeds the first items at once, and the others only when the gate is there."""

    def __init__(self, gate: Path) -> None:
        super().__init__()
        self._gate = gate
        self._items = 0

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        self._items += len(arrays)
        while self._items > FREE_ITEMS and not self._gate.exists():
            time.sleep(0.01)
        return super()._encode(modality, arrays)


def open_gated(settings: Settings) -> Engine:
    """Makes an engine of the gated model."""
    return Engine(settings, [GatedEmbedder(Path(sys.argv[1]))])


if __name__ == "__main__":
    app(sys.argv[2:], obj=open_gated)
