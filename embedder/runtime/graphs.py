"""Graphs kept in a folder, so that only the first start imports torch.

A graph is one file, whole or not there: a NumPy archive whose every byte has a checksum. Its name
holds all that it depends on, so nothing is ever out of date. A folder that can't be written, or a
damaged file, costs the time of deriving again and nothing else.
"""

import logging
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from embedder.runtime.base import Tower
from embedder.runtime.openvino import Graph, openvino
from embedder.runtime.openvino_import import core

LAYOUT = 1
"""Version of what a file holds and of how a graph is derived."""

log = logging.getLogger(__name__)


def graph_of(tower: Tower, cache: Path | None, precision: str) -> Graph:
    """Returns the tower's graph from the cache folder, or derives it and keeps it there.

    Args:
        tower: What to compute.
        cache: The folder; None keeps nothing.
        precision: What to compute in, "bf16" or "f32".

    Raises:
        RuntimeError: If torch or openvino can't convert the tower.
        WeightsError: If the tower can't be built.
    """
    path = cache / "graphs" / _name(tower, precision) if cache else None
    kept = read(path) if path else None
    if kept:
        return kept
    from embedder.runtime.derive import derive

    graph = derive(tower, precision)
    if path:
        write(graph, path)
    return graph


def read(path: Path) -> Graph | None:
    """Returns the graph of a file; None if there is none, or if it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            weights = openvino.Tensor(archive["weights"])
            model = core().read_model(archive["xml"].tobytes(), weights)
            return Graph(model, str(archive["precision"]), float(archive["fidelity"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        log.warning("the graph %s is damaged and will be derived again: %s", path, exc)
    except (RuntimeError, NotImplementedError) as exc:  # openvino's, of any kind
        log.warning("the graph %s can't be read and will be derived again: %s", path, exc)
    return None


def write(graph: Graph, path: Path) -> None:
    """Writes a graph whole or not at all; a folder that can't be written is only logged."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            xml, part = Path(folder, "graph.xml"), Path(folder, "graph.npz")
            openvino.save_model(graph.model, xml, compress_to_fp16=False)
            np.savez(
                part,
                xml=np.fromfile(xml, dtype=np.uint8),
                weights=np.fromfile(xml.with_suffix(".bin"), dtype=np.uint8),
                precision=np.array(graph.precision),
                fidelity=np.array(graph.fidelity),
            )
            part.replace(path)
    except OSError as exc:
        log.warning("a derived graph can't be kept, so the next start takes longer: %s", exc)


def _name(tower: Tower, precision: str) -> str:
    version = openvino.__version__.split("-")[0]
    return f"{tower.digest}-openvino{version}-{precision}-{LAYOUT}.npz"
