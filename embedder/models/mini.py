"""kindred-mini: the bundled model for words, pictures and sounds."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment
from embedder.errors import WeightsError
from embedder.features.audio import SAMPLE_RATE, WINDOW_SAMPLES
from embedder.features.image import SIZE, image_input
from embedder.features.text import TextTokenizer
from embedder.media import Audio, Image, Modality, Single, Text
from embedder.models.hearing import SOUND_SHAPE, hear, prepare_sound
from embedder.models.mini_probes import probes
from embedder.models.mini_weights import PREPROCESSING, MiniWeights, read_weights
from embedder.models.passes import run_rows, run_texts
from embedder.runtime.base import AUTOMATIC, Placement, Runtime, Tower
from embedder.runtime.choice import place
from embedder.runtime.report import Report

if TYPE_CHECKING:
    import torch

NAME = "kindred-mini"
WEIGHTS = Path(__file__).parent.parent / "weights" / f"{NAME}.safetensors"

_MAX_ROWS = {Modality.TEXT: 64, Modality.IMAGE: 8}
"""Inputs of one forward pass; more leave the cache and are slower."""

_PASS_TOKENS = 40
"""What a pass of the text tower costs by itself, in tokens. On two CPUs and OpenVINO in bfloat16 it
takes 0.4 ms, 0.4 ms more where the one before had another shape, and 0.02 ms a token."""

_MAX_CHARACTERS = 20_000
"""Of a text, what is tokenised to find the tokens that fit: a megabyte would take a second."""

_INPUTS: Mapping[Modality, tuple[int | None, ...]] = {
    Modality.TEXT: (None, None),
    Modality.IMAGE: (None, 3, SIZE, SIZE),
    Modality.AUDIO: SOUND_SHAPE,
}
"""Shapes of the towers' inputs, batch axis first; None where the length varies."""

Array = NDArray[np.generic]


class KindredMini(Embedder):
    """Embeds with three small towers that share one space.

    Args:
        weights: What the weights file holds.
        tokenizer: The one that belongs to the weights.
        towers: What runs each modality's tower.

    Attributes:
        means: The mean unit vector of each modality.
    """

    name = NAME
    modalities = frozenset(Modality)
    reducers = MappingProxyType({Modality.IMAGE: "embedder.features.image:reduced"})

    def __init__(
        self,
        weights: MiniWeights,
        tokenizer: TextTokenizer,
        towers: Mapping[Modality, Runtime],
    ) -> None:
        self.space = EmbeddingSpace(f"{NAME}-{weights.digest[:16]}-p{PREPROCESSING}", weights.dim)
        self.logit_scale = weights.logit_scale
        self.backgrounds = weights.backgrounds
        self.means = weights.means
        self.limits = {
            "text_tokens": tokenizer.context,
            "image_side": SIZE,
            "audio_window_seconds": WINDOW_SAMPLES / SAMPLE_RATE,
        }
        told = Report.of(towers)
        self.runtime, self.device = told.runtime, told.device
        self.precision, self.fidelity = told.precision, told.fidelity
        self._tokenizer = tokenizer
        self._towers = towers

    @classmethod
    def load(cls, path: Path = WEIGHTS, how: Placement = AUTOMATIC) -> "KindredMini":
        """Reads the weights and, beside them, the tokenizer (`.tokenizer.json`).

        Raises:
            WeightsError: If a file is missing, damaged or of another architecture.
            MissingDependency: If the stated runtime is not installed or can't use the device.
            Unfaithful: If what was asked for computes too unlike torch in float32.
        """
        weights = read_weights(path)
        tokenizer = _tokenizer(path.with_suffix(".tokenizer.json"), weights)
        towers = {m: place(_tower(m, weights, tokenizer), how) for m in Modality}
        return cls(weights, tokenizer, towers)

    def _prepare(self, item: Single) -> Prepared:
        return _prepared(item, self._tokenizer)

    def _encode(self, modality: Modality, arrays: Sequence[Array]) -> NDArray[np.float32]:
        tower = self._towers[modality]
        match modality:
            case Modality.TEXT:
                # The text tower only looks back: what follows a text's end mark changes nothing.
                return run_texts(
                    *(tower, arrays),
                    most=_MAX_ROWS[modality],
                    context=self._tokenizer.context,
                    pass_tokens=_PASS_TOKENS,
                )
            case Modality.IMAGE:
                return run_rows(tower.run, arrays, _MAX_ROWS[modality])
            case Modality.AUDIO:
                return hear(tower, arrays)


def _prepared(item: Single, tokenizer: TextTokenizer) -> Prepared:
    """Returns what a tower takes of one item, and what was done to it."""
    match item:
        case Text():
            beginning = item.text[:_MAX_CHARACTERS]
            ids, cut = tokenizer.encode(beginning)
            treatment = Treatment(truncated=cut or len(beginning) < len(item.text))
            return Prepared(item.modality, ids, treatment, ids.size)
        case Image():
            return Prepared(item.modality, image_input(item))
        case Audio():
            return prepare_sound(item)


def _tokenizer(path: Path, weights: MiniWeights) -> TextTokenizer:
    """Reads the tokenizer that the weights were trained with.

    Raises:
        WeightsError: If the file is missing or another one.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no such file"
    if digest != weights.tokenizer:
        raise WeightsError(
            f"the tokenizer must be that of the weights, SHA-256 {weights.tokenizer}; "
            f"{path} is {digest}"
        )
    shape = weights.shapes[Modality.TEXT]
    tokenizer = TextTokenizer.load(path, int(shape["context"]))
    # The text tower is read where it finds the last id of its vocabulary, the end mark.
    if tokenizer.vocabulary != shape["vocabulary"]:
        raise WeightsError(
            f"the tokenizer must have the {shape['vocabulary']} entries that the text tower has, "
            f"got {tokenizer.vocabulary}"
        )
    return tokenizer


def _tower(modality: Modality, weights: MiniWeights, tokenizer: TextTokenizer) -> Tower:
    """Returns a tower that is not built yet."""
    return Tower(
        digest=f"{NAME}-{modality}-{_digest(modality, weights)}",
        shape=_INPUTS[modality],
        build=partial(_build, modality, weights),
        probes=lambda: [
            row[None] for item in probes()[modality] for row in _inputs(_prepared(item, tokenizer))
        ],
    )


def _inputs(item: Prepared) -> Sequence[Array]:
    """Returns what the tower takes of one item: each window of a sound, or all of anything else."""
    return list(item.array) if item.modality is Modality.AUDIO else [item.array]


def _build(modality: Modality, weights: MiniWeights) -> "torch.nn.Module":
    from embedder.models.mini_towers import build_tower

    return build_tower(modality, weights)


def _digest(modality: Modality, weights: MiniWeights) -> str:
    """Returns a digest of the weights and of the code that makes a tower of them."""
    code = Path(__file__).with_name(f"{modality}_tower.py").read_bytes()
    return hashlib.sha256(weights.digest.encode() + code).hexdigest()[:16]
