"""Reads what the weights file of kindred-mini says of itself, without torch.

The file's layout is described in `embedder.training.export`; `mini_towers` reads the tensors.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from embedder.base import Background
from embedder.errors import WeightsError
from embedder.media import Modality

FORMAT = 1
"""The layout of the file that this code reads."""

PREPROCESSING = 1
"""Version of the code from media to arrays: other arrays make other vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class MiniWeights:
    """The header of a weights file, checked.

    Attributes:
        path: The file.
        digest: SHA-256 of the file, in hexadecimal.
        dim: Length of a vector.
        shapes: Each tower's sizes, by modality, as its shape class takes them.
        logit_scale: What a cosine is multiplied by before a softmax over candidates.
        backgrounds: How cosines of unrelated pairs are spread, by (query's, item's modality).
        means: The mean unit vector of each modality.
        tokenizer: SHA-256 of the tokenizer's file that belongs to these weights.
    """

    path: Path
    digest: str
    dim: int
    shapes: Mapping[Modality, Mapping[str, Any]]
    logit_scale: float
    backgrounds: Mapping[tuple[Modality, Modality], Background]
    means: Mapping[Modality, tuple[float, ...]]
    tokenizer: str


def read_weights(path: Path) -> MiniWeights:
    """Reads and checks the header of a weights file.

    Raises:
        WeightsError: If it is missing, damaged, or of another layout or preprocessing.
    """
    if not path.is_file():
        raise WeightsError(f"the weights must be a file, got {path}")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, framework="np") as archive:
            config = json.loads((archive.metadata() or {}).get("config", "{}"))
    except (SafetensorError, OSError, ValueError) as exc:
        raise WeightsError(f"the weights must be a safetensors file, got {path}: {exc}") from exc
    try:
        _check_header(config, path)
        return _weights(path, digest, config)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise WeightsError(f"{path} must hold every field of the header, got {exc!r}") from exc


def _check_header(config: Mapping[str, Any], path: Path) -> None:
    for name, expected in {"format": FORMAT, "preprocessing": PREPROCESSING}.items():
        found = config.get(name)
        if found != expected:
            raise WeightsError(f"{name} of the weights must be {expected}, got {found} in {path}")
    dims = [config[modality]["dim"] for modality in Modality]
    if dims != [config["dim"]] * len(dims):
        raise WeightsError(f"dim of every tower must be {config['dim']}, got {dims} in {path}")


def _weights(path: Path, digest: str, config: Mapping[str, Any]) -> MiniWeights:
    return MiniWeights(
        path=path,
        digest=digest,
        dim=int(config["dim"]),
        shapes={modality: dict(config[modality]) for modality in Modality},
        logit_scale=float(config["logit_scale"]),
        backgrounds=dict(_background(*entry) for entry in config["background"].items()),
        means={Modality(name): tuple(mean) for name, mean in config["means"].items()},
        tokenizer=str(config["tokenizer"]),
    )


def _background(
    pair: str, spread: Mapping[str, float]
) -> tuple[tuple[Modality, Modality], Background]:
    query, item = pair.split(">")
    return (Modality(query), Modality(item)), Background(spread["mean"], spread["std"])
