"""Every model of open_clip that embeds pictures and words, as its own `encode_*` would.

Weights come from open_clip's cache, or open_clip downloads them; preprocessing and tokenizer are
the model's own. Names are those of `embedder.models.clip_names`.
"""

import difflib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment
from embedder.errors import ModelNotFound, WeightsError
from embedder.media import Image, Modality, Single, Text
from embedder.models.clip_digest import graph_digest, meaning_digest
from embedder.models.clip_names import ClipName, architectures
from embedder.models.clip_tokens import ClipTokens
from embedder.models.clip_towers import last_read, tower
from embedder.models.mini_probes import probes
from embedder.models.open_clip_import import import_open_clip
from embedder.models.passes import run_rows, run_texts
from embedder.runtime.base import AUTOMATIC, Placement, Tower
from embedder.runtime.choice import place
from embedder.runtime.report import Report

_FAILURES = (RuntimeError, OSError, ValueError, KeyError, ImportError, pickle.UnpicklingError)
"""What open_clip raises where weights are damaged, unfit, or out of reach."""

_MOST_ROWS = {Modality.TEXT: 32, Modality.IMAGE: 16}
"""Inputs of one forward pass; more would not be faster, and need memory."""

_PASS_TOKENS = 20
"""What a pass of a tower of words costs by itself, in tokens. On two CPUs and OpenVINO in bfloat16
ViT-B/32's takes 3.6 ms, 1 ms more where the one before had another shape, and 0.23 ms a token."""


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
        how: Where and how its towers run.

    Raises:
        MissingDependency: If the stated runtime is not installed, or can't use the device or
            compute in the stated precision.
        Untranslatable: If the stated runtime can't compute what the model does.
        Unfaithful: If what was asked for computes too unlike torch in float32.
    """

    modalities = frozenset({Modality.TEXT, Modality.IMAGE})

    def __init__(self, name: str, parts: Parts, how: Placement = AUTOMATIC) -> None:
        self.name = name
        network = parts.network.eval().requires_grad_(False)
        self._transform = parts.transform
        self._tokens = ClipTokens(parts.tokenize, last_read(network))
        self.logit_scale = float(network.logit_scale.exp())
        self.limits = {"text_tokens": self._tokens.context}
        self.parameters = sum(weights.numel() for weights in network.parameters())
        meaning = meaning_digest(network, parts.transform, parts.tokenize)
        graph = graph_digest(network, meaning)
        self._towers = {m: place(self._tower(m, network, graph), how) for m in sorted(_MOST_ROWS)}
        told = Report.of(self._towers)
        self.runtime, self.device = told.runtime, told.device
        self.precision, self.fidelity = told.precision, told.fidelity
        dim = self._encode(Modality.TEXT, [self._tokens.encode("dim")[0]]).shape[1]
        self.space = EmbeddingSpace(f"open_clip-{meaning[:16]}", dim)

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

    def _tower(self, modality: Modality, network: Any, digest: str) -> Tower:  # noqa: ANN401
        inputs = [self._prepare(item).array for item in probes()[modality]]
        varies = modality is Modality.TEXT and self._tokens.are_cut
        return Tower(
            digest=f"open_clip-{modality}-{digest}",
            shape=(None, None) if varies else (None, *inputs[0].shape),
            build=lambda: tower(network, modality),
            probes=lambda: [each[None] for each in inputs],
        )

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
        runtime, most = self._towers[modality], _MOST_ROWS[modality]
        if modality is Modality.IMAGE:
            return run_rows(runtime.run, arrays, most)
        context = self._tokens.context
        return run_texts(runtime, arrays, most=most, context=context, pass_tokens=_PASS_TOKENS)


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
