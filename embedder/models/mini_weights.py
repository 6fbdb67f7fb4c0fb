"""Reads the weights file of kindred-mini; its layout is described in `embedder.training.export`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
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
    """The content of a weights file, checked.

    Attributes:
        digest: SHA-256 of the file, in hexadecimal.
        dim: Length of a vector.
        shapes: Each tower's sizes, by modality, as its shape class takes them.
        tensors: Each tower's float32 state, by modality.
        logit_scale: What a cosine is multiplied by before a softmax over candidates.
        backgrounds: How cosines of unrelated pairs are spread, by (query's, item's modality).
        means: The mean unit vector of each modality.
        tokenizer: SHA-256 of the tokenizer's file that belongs to these weights.
    """

    digest: str
    dim: int
    shapes: Mapping[Modality, Mapping[str, Any]]
    tensors: Mapping[Modality, Mapping[str, torch.Tensor]]
    logit_scale: float
    backgrounds: Mapping[tuple[Modality, Modality], Background]
    means: Mapping[Modality, tuple[float, ...]]
    tokenizer: str


def read_weights(path: Path) -> MiniWeights:
    """Reads and checks a weights file.

    Raises:
        WeightsError: If it is missing, damaged, or of another layout or preprocessing.
    """
    if not path.is_file():
        raise WeightsError(f"the weights must be a file, got {path}")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with safe_open(path, framework="pt") as archive:
            config = json.loads((archive.metadata() or {}).get("config", "{}"))
            tensors = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as exc:
        raise WeightsError(f"the weights must be a safetensors file, got {path}: {exc}") from exc
    try:
        _check_header(config, path)
        return _weights(digest, config, tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise WeightsError(
            f"{path} must hold every field of the header and finite tensors, got {exc!r}"
        ) from exc


def _check_header(config: Mapping[str, Any], path: Path) -> None:
    for name, expected in {"format": FORMAT, "preprocessing": PREPROCESSING}.items():
        found = config.get(name)
        if found != expected:
            raise WeightsError(f"{name} of the weights must be {expected}, got {found} in {path}")
    dims = [config[modality]["dim"] for modality in Modality]
    if dims != [config["dim"]] * len(dims):
        raise WeightsError(f"dim of every tower must be {config['dim']}, got {dims} in {path}")


def _weights(
    digest: str, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> MiniWeights:
    return MiniWeights(
        digest=digest,
        dim=int(config["dim"]),
        shapes={modality: dict(config[modality]) for modality in Modality},
        tensors={modality: _tower_state(modality, tensors) for modality in Modality},
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


def _tower_state(
    modality: Modality, tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Returns one tower's tensors under its own names, floats as float32."""
    prefix = f"{modality}."
    state = {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    damaged = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if damaged:
        raise ValueError(f"not finite: {prefix}{damaged[0]}")
    return state
