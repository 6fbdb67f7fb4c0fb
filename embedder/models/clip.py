"""Every model of open_clip that embeds pictures and words, as its own `encode_*` would.

Weights come from open_clip's cache, or open_clip downloads them; preprocessing and tokenizer are
the model's own. Names are those of `embedder.models.clip_names`.
"""

import difflib
import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment
from embedder.errors import ModelNotFound, WeightsError
from embedder.media import Image, Modality, Single, Text
from embedder.models.clip_names import ClipName, architectures
from embedder.models.clip_tokens import ClipTokens
from embedder.models.lowering import lowered
from embedder.models.open_clip_import import import_open_clip
from embedder.runtime.base import AUTOMATIC, Placement
from embedder.runtime.torch import entered, placed, torch_precision, use_threads

_FAILURES = (RuntimeError, OSError, ValueError, KeyError, ImportError, pickle.UnpicklingError)
"""What open_clip raises where weights are damaged, unfit, or out of reach."""

_MOST_ROWS = 16
"""Inputs of one forward pass; more would not be faster, and need memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What open_clip makes of a name; it has no types.

    Attributes:
        network: With `encode_image` and `encode_text`.
        transform: From a Pillow image to a tensor.
        tokenize: From texts to ids of one length.
    """

    network: Any
    transform: Any
    tokenize: Any


class ClipModel(Embedder):
    """Embeds pictures and words with a model of open_clip.

    Args:
        name: What it was asked for by.
        parts: The model.
        how: Where it runs.

    Raises:
        MissingDependency: If the installed torch can't use the device, or the device can't compute
            in the stated precision.
        Unfaithful: If its vectors in that precision are too unlike those in float32.
    """

    modalities = frozenset({Modality.TEXT, Modality.IMAGE})
    runtime = "torch"

    def __init__(self, name: str, parts: Parts, how: Placement = AUTOMATIC) -> None:
        self.name, self.device, self._threads = name, how.device, how.threads
        precision = torch_precision(how.precision, how.device)
        self._transform, self._tokens = parts.transform, ClipTokens(parts.tokenize)
        self.logit_scale = float(parts.network.logit_scale.detach().exp())
        digest = _digest(parts)
        self._network: Any = placed(parts.network, how.device)
        dim = self._encode(Modality.TEXT, [self._tokens.encode("dim")[0]]).shape[1]
        self.space = EmbeddingSpace(f"open_clip-{digest[:16]}", dim)
        self.limits = {"text_tokens": self._tokens.context}
        self.parameters = sum(weights.numel() for weights in parts.network.parameters())
        if precision != self.precision:
            self.fidelity = lowered(self, partial(self._lower, precision), how)

    @classmethod
    def load(cls, name: str, how: Placement = AUTOMATIC) -> "ClipModel":
        """Loads a model by its name; what has to be downloaded shows open_clip's own progress.

        Raises:
            ModelNotFound: If open_clip knows no such architecture or tag.
            WeightsError: If weights are damaged, of another architecture, or neither here nor to
                be had.
            MissingDependency: If the installed torch can't use the device, or the device can't
                compute in the stated precision.
        """
        asked = ClipName.parse(name)
        open_clip = import_open_clip()
        _require_known(open_clip, asked)
        try:
            # A library that loads a model must not move its caller's random numbers.
            with torch.random.fork_rng(devices=[]):
                network, _, transform = open_clip.create_model_and_transforms(
                    asked.architecture,
                    pretrained=asked.weights,
                    precision="fp32",  # what the space's id is a digest of, on any device
                    require_pretrained=True,  # a place without weights would give random ones
                )
            tokenize = open_clip.get_tokenizer(asked.architecture)
        except _FAILURES as exc:
            raise WeightsError(
                f"{name} can't be had: {exc}. Without a network, give a checkpoint of your own as "
                "open_clip:ARCHITECTURE/FILE, or a folder as open_clip:local-dir:FOLDER"
            ) from exc
        return cls(name, Parts(network, transform, tokenize), how)

    def _lower(self, precision: str) -> None:
        self.precision = precision
        self._network = placed(self._network, self.device, precision)

    def _prepare(self, item: Single) -> Prepared:
        match item:
            case Text():
                ids, cut = self._tokens.encode(item.text)
                return Prepared(item.modality, ids, Treatment(truncated=cut), ids.size)
            case Image():
                pixels = self._transform(PIL.Image.fromarray(item.pixels))
                return Prepared(item.modality, np.asarray(pixels.numpy(), dtype=np.float32))
            case _:
                raise TypeError(f"media must be words or a picture, got {type(item).__name__}")

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        use_threads(self._threads)
        starts = range(0, len(arrays), _MOST_ROWS)
        rows = [self._forward(modality, np.stack(arrays[i : i + _MOST_ROWS])) for i in starts]
        return np.concatenate(rows)

    @torch.inference_mode()
    def _forward(self, modality: Modality, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        x = entered(batch, self.device, self.precision)
        encode = "encode_text" if modality is Modality.TEXT else "encode_image"
        vectors = getattr(self._network, encode)(x)
        return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)


def _digest(parts: Parts) -> str:
    """Returns a digest of everything that vectors depend on: weights, pixels' way, tokens' way."""
    digest = hashlib.sha256(repr(parts.transform).encode())
    digest.update(parts.tokenize(["the quick brown fox, 1234"])[0].numpy().tobytes())
    for name, tensor in sorted(parts.network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _require_known(open_clip: Any, asked: ClipName) -> None:  # noqa: ANN401 - open_clip has no types
    """Refuses names that open_clip does not know, before anything is downloaded.

    Raises:
        ModelNotFound: If it knows no such architecture, or no such weights of it.
    """
    if asked.weights is None:
        return
    if asked.architecture not in architectures():
        near = difflib.get_close_matches(asked.architecture, architectures(), n=3, cutoff=0.4)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ModelNotFound(f"open_clip has no architecture {asked.architecture!r}{hint}")
    known = open_clip.is_pretrained_cfg(asked.architecture, asked.weights)
    if not known and not Path(asked.weights).is_file():
        tags = open_clip.list_pretrained_tags_by_model(asked.architecture)
        raise ModelNotFound(
            f"{asked.weights!r} is neither a file nor weights that open_clip knows of "
            f"{asked.architecture}; it knows {', '.join(tags) or 'none'}"
        )
