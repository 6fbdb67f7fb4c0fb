"""Packs the three trained towers into the two files that ship.

`kindred-mini.safetensors` holds float16 tensors under the towers' own state names, prefixed
`image.`, `text.` and `audio.`, and one entry of header metadata, `config`: a JSON object with

    format          1: the number of this layout
    name            "kindred-mini"
    dim             length of a vector, 384
    preprocessing   version of the code from media to arrays, part of the space's id
    image           fields of `embedder.models.image_tower.ImageShape`
    text            fields of `embedder.models.text_tower.TextShape`
    audio           fields of `embedder.models.audio_tower.AudioShape`
    logit_scale     what a cosine is multiplied by before a softmax over candidates
    means           {modality: [dim numbers]}, the mean unit vector of each modality
    background      {"text>image": {"mean": m, "std": s}, ...} for each ordered pair of modalities,
                    query first: how the cosines of unrelated pairs are spread, so that
                    (cosine - mean) / std is comparable across modalities (calibrated ranking)
    tokenizer       SHA-256 of the tokenizer's file
    recipe          SHA-256 of the recipe's numbers

A reader builds each tower from its shape, `ImageTower(ImageShape(**config["image"]))` and so on,
loads the tensors of its prefix as float32 with `strict=True`, and calls it in eval mode:

    image   float32 (n, 3, 224, 224) from `embedder.features.image`     -> (n, dim), any norm
    text    int64 (n, tokens) from `embedder.features.text`, 0-padded   -> (n, dim), any norm
    audio   float32 (n, patches, 96, 64) from `embedder.features.audio` -> (n, dim), any norm

`kindred-mini.tokenizer.json` is the vocabulary, read by `embedder.features.text.TextTokenizer`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from embedder.base import Background, Vectors
from embedder.media import Modality
from embedder.models.mini_weights import FORMAT, PREPROCESSING

NAME = "kindred-mini"


@dataclass(frozen=True, slots=True)
class Tower:
    """A trained tower: its shape, a frozen dataclass, and its module."""

    shape: Any
    module: nn.Module


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """How the vectors of a space lie, measured on data.

    Attributes:
        logit_scale: What a cosine is multiplied by before a softmax over candidates.
        means: The mean unit vector of each modality.
        backgrounds: How cosines of unrelated pairs are spread, by (query's, item's modality).
    """

    logit_scale: float
    means: Mapping[Modality, NDArray[np.float32]]
    backgrounds: Mapping[tuple[Modality, Modality], Background]


def measure_geometry(vectors: Mapping[Modality, Vectors], logit_scale: float) -> Geometry:
    """Returns the geometry of samples of each modality; nearly all of their pairs are unrelated."""
    pairs = product(vectors, vectors)
    return Geometry(
        logit_scale=logit_scale,
        means={modality: rows.mean(axis=0) for modality, rows in vectors.items()},
        backgrounds={pair: _background(vectors[pair[0]], vectors[pair[1]]) for pair in pairs},
    )


def export(
    folder: Path,
    towers: Mapping[Modality, Tower],
    tokenizer: Tokenizer,
    geometry: Geometry,
    recipe: object,
) -> Path:
    """Writes weights and tokenizer into the folder, each whole or not at all.

    Args:
        folder: Where both files go.
        towers: One per modality.
        tokenizer: The text tower's.
        geometry: Of the towers' own vectors.
        recipe: A dataclass with every number of the recipe.

    Returns:
        The path of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = tokenizer.to_str().encode()
    _write(folder / f"{NAME}.tokenizer.json", vocabulary)
    config = _config(towers, geometry) | {
        "tokenizer": hashlib.sha256(vocabulary).hexdigest(),
        "recipe": recipe_digest(recipe),
    }
    path = folder / f"{NAME}.safetensors"
    part = path.with_suffix(".part")
    save_file(_half(towers), part, {"config": json.dumps(config)})
    part.chmod(0o644)  # safetensors makes files that their owner alone can read
    part.replace(path)
    return path


def _config(towers: Mapping[Modality, Tower], geometry: Geometry) -> dict[str, object]:
    return {
        "format": FORMAT,
        "name": NAME,
        "dim": towers[Modality.TEXT].shape.dim,
        "preprocessing": PREPROCESSING,
        **{modality.value: asdict(tower.shape) for modality, tower in towers.items()},
        "logit_scale": geometry.logit_scale,
        "means": {m.value: [round(float(x), 6) for x in row] for m, row in geometry.means.items()},
        "background": {
            f"{query}>{item}": asdict(spread)
            for (query, item), spread in geometry.backgrounds.items()
        },
    }


def recipe_digest(recipe: object) -> str:
    """Returns the SHA-256 of a recipe's numbers."""
    return hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode()).hexdigest()  # type: ignore[call-overload]


def _half(towers: Mapping[Modality, Tower]) -> dict[str, torch.Tensor]:
    """Returns all tensors under their modality's prefix, floats as float16."""
    return {
        f"{modality}.{name}": tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for modality, tower in towers.items()
        for name, tensor in tower.module.state_dict().items()
    }


def _background(queries: Vectors, items: Vectors) -> Background:
    """Returns mean and deviation of cosines; a vector's cosine with itself is left out."""
    cosines = queries @ items.T
    if queries is items:
        cosines = cosines[~np.eye(len(items), dtype=bool)]
    return Background(float(cosines.mean()), float(cosines.std()))


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
