"""The teachers' joint space: small heads on frozen teachers, and the ceiling of every student.

Three maps into one space of 384 dimensions, each giving unit vectors:

    image_head   float32 (n, 3305): `image_features(v1, v2, logits)`, the raw outputs of the image
                 teachers as `targets.ImageTargets` has them; the head standardises them itself
    text_map     float32 (n, 384): MiniLM's unit vectors; linear, no bias
    audio_head   float32 (n, 2569): `audio_features(mean, max, scores)` of the sound teacher's
                 outputs in `sound_targets.SoundTargets`; the head standardises them itself

`load_space(path)` returns all three in eval mode, without gradients. A student distils into
`space.image_head(image_features(...))` and so on.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

DIM = 384
IMAGE_FEATURES = 1024 + 1280 + 1001
AUDIO_FEATURES = 1024 + 1024 + 521
TEXT_FEATURES = 384
_LEAST_SCORE = 1e-4

Floats = NDArray[np.floating]


class Head(nn.Module):
    """Standardises features and maps them to unit vectors through one hidden layer."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, inputs: int, hidden: int, dropout: tuple[float, float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("deviation", torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Dropout(dropout[0]),
            nn.Linear(inputs, hidden),
            nn.GELU(),
            nn.Dropout(dropout[1]),
            nn.Linear(hidden, DIM),
        )

    def fit(self, features: Tensor) -> None:
        """Takes mean and deviation of each feature from training data (n, inputs)."""
        self.mean.copy_(features.mean(dim=0))
        self.deviation.copy_(features.std(dim=0).clamp_min(1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """Returns unit vectors (n, dim) of raw features (n, inputs)."""
        standard = ((features - self.mean) / self.deviation).clamp(-6.0, 6.0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.training):
            vectors = self.layers(standard)
        return functional.normalize(vectors.float(), dim=1)


class TextMap(nn.Module):
    """A linear map of sentence vectors, the identity at first; unit vectors out."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dim, TEXT_FEATURES))

    def forward(self, sentences: Tensor) -> Tensor:
        """Returns unit vectors (n, dim) of sentence vectors (n, 384)."""
        return functional.normalize(sentences @ self.weight.T, dim=1)


class TeacherSpace(nn.Module):
    """The three maps and the contrastive loss's scales, as logarithms."""

    def __init__(
        self,
        image_dropout: tuple[float, float] = (0.0, 0.0),
        audio_dropout: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        self.image_head = Head(IMAGE_FEATURES, 1024, image_dropout)
        self.text_map = TextMap()
        self.audio_head = Head(AUDIO_FEATURES, 512, audio_dropout)
        self.logit_scale = nn.Parameter(torch.tensor(20.0).log())
        self.name_scale = nn.Parameter(torch.tensor(20.0).log())


def image_features(v1: Floats, v2: Floats, logits: Floats) -> Tensor:
    """Returns float32 (n, 3305) of MobileNetV1's and V2's pooled features and V2's logits."""
    log_probabilities = torch.from_numpy(logits.astype(np.float32)).log_softmax(dim=1)
    pooled = [torch.from_numpy(a.astype(np.float32)) for a in (v1, v2)]
    return torch.cat([*pooled, log_probabilities], dim=1)


def audio_features(mean: Floats, maximum: Floats, scores: Floats) -> Tensor:
    """Returns float32 (n, 2569) of clips' mean and maximal embeddings and mean class scores."""
    parts = np.concatenate([np.sqrt(mean), np.sqrt(maximum), np.log(scores + _LEAST_SCORE)], axis=1)
    return torch.from_numpy(parts.astype(np.float32))


def save_space(space: TeacherSpace, path: Path) -> None:
    """Writes the space's weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(space.state_dict(), part)
    part.replace(path)


def load_space(path: Path) -> TeacherSpace:
    """Returns the space in eval mode, its weights frozen."""
    space = TeacherSpace()
    space.load_state_dict(load_file(path))
    return space.eval().requires_grad_(False)
