"""Digests of open_clip's models: of what their vectors mean, and of what computes them."""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from embedder.models import clip_towers

_PLAIN = (bool, int, float, str, type(None))


def meaning_digest(network: Any, transform: Any, tokenize: Any) -> str:  # noqa: ANN401 - open_clip has no types
    """Returns a digest of what vectors depend on: weights, pixels' way, tokens' way, quick GELUs.

    These are told because open_clip has twins that share all weights but differ in them. Not so all
    else that `graph_digest` tells: a space must outlive versions of the libraries.
    """
    digest = hashlib.sha256(repr(transform).encode())
    digest.update(tokenize(["the quick brown fox, 1234"])[0].numpy().tobytes())
    for name, module in network.named_modules():
        if type(module).__name__.startswith("QuickGELU"):
            digest.update(f"{name} QuickGELU".encode())
    for name, tensor in sorted(network.state_dict().items()):
        _add(digest, name, tensor)
    return digest.hexdigest()


def graph_digest(network: Any, meaning: str) -> str:  # noqa: ANN401
    """Returns a digest of everything that graphs are derived from, fit for a file's name.

    Weights alone don't tell how they are used: heads and activations have none.
    """
    digest = hashlib.sha256(meaning.encode())
    digest.update(Path(clip_towers.__file__).read_bytes())
    for package in ("open_clip_torch", "timm"):
        digest.update(f"{package} {importlib.metadata.version(package)}".encode())
    for line in _structure(network):
        digest.update(line.encode())
    for name, tensor in sorted(network.named_buffers()):
        _add(digest, name, tensor)
    return digest.hexdigest()[:16]


def _structure(network: torch.nn.Module) -> Iterator[str]:
    """Yields each module's class and numbers; what has an address in memory is left out."""
    for name, module in network.named_modules():
        plain = {key: value for key, value in vars(module).items() if _is_plain(value)}
        plain.pop("training", None)
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        yield f"{name} {kind} {sorted(plain.items())}"


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(each, _PLAIN) for each in value)
    return isinstance(value, _PLAIN)


def _add(digest: "hashlib._Hash", name: str, tensor: torch.Tensor) -> None:
    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
