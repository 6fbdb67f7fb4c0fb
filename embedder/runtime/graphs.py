"""OpenVINO's graphs, kept in a folder so that only the first start imports torch."""

import logging
import tempfile
from pathlib import Path

import numpy as np

from embedder.runtime import archive
from embedder.runtime.base import Tower
from embedder.runtime.openvino import Graph, openvino
from embedder.runtime.openvino_import import core

LAYOUT = 3
"""Version of what a file holds and of how a graph is derived."""

log = logging.getLogger(__name__)


def graph_of(tower: Tower, cache: Path | None, *precisions: str) -> Graph:
    """Returns the tower's graph from the cache folder, or derives it and keeps it there.

    Args:
        tower: What to compute.
        cache: The folder; None keeps nothing.
        precisions: What to compute in, "bf16" or "f32"; the first that is faithful, or the last.

    Raises:
        RuntimeError: If torch or openvino can't convert the tower.
        WeightsError: If the tower can't be built.
    """
    path = archive.folder_of(cache) / _name(tower, precisions) if cache else None
    kept = read(path) if path else None
    if kept:
        return kept
    from embedder.runtime.derive import derive

    graph = derive(tower, *precisions)
    if path:
        write(graph, path)
    return graph


def read(path: Path) -> Graph | None:
    """Returns the graph of a file; None if there is none, or if it is damaged."""
    arrays = archive.read(path)
    if arrays is None:
        return None
    try:
        weights = openvino.Tensor(arrays["weights"])
        model = core().read_model(arrays["xml"].tobytes(), weights)
        return Graph(model, str(arrays["precision"]), float(arrays["fidelity"]))
    except (ValueError, KeyError) as exc:
        log.warning("the graph %s is damaged and will be derived again: %s", path, exc)
    except RuntimeError as exc:  # openvino's, of any kind
        log.warning("the graph %s can't be read and will be derived again: %s", path, exc)
    return None


def write(graph: Graph, path: Path) -> None:
    """Writes a graph whole or not at all; a folder that can't be written is only logged."""
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder, "graph.xml")
        openvino.save_model(graph.model, xml, compress_to_fp16=False)
        arrays = {
            "xml": np.fromfile(xml, dtype=np.uint8),
            "weights": np.fromfile(xml.with_suffix(".bin"), dtype=np.uint8),
            "precision": np.array(graph.precision),
            "fidelity": np.array(graph.fidelity),
        }
    archive.write(path, arrays)


def _name(tower: Tower, precisions: tuple[str, ...]) -> str:
    version = openvino.__version__.split("-")[0]
    return f"{tower.digest}-openvino{version}-{'-'.join(precisions)}-{LAYOUT}.npz"
