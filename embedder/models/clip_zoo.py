"""What there is of open_clip, and which of its weights are on this machine; asks no network."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from embedder.models.clip_names import PREFIX, ClipName
from embedder.models.open_clip_import import import_open_clip

import_open_clip()

from open_clip import get_pretrained_cfg, list_pretrained  # noqa: E402
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME  # noqa: E402

_DOWNLOADS = Path("~/.cache/clip")
"""Where open_clip keeps what comes from addresses of its own."""


def clip_models() -> Iterator[str]:
    """Yields the names of all models whose weights open_clip knows, in its order."""
    yield from (f"{PREFIX}{architecture}/{tag}" for architecture, tag in list_pretrained())


def is_here(asked: ClipName) -> bool:
    """Says whether weights are on this machine, as a path or in a cache that open_clip looks in."""
    kind, _, place = asked.architecture.partition(":")
    if asked.weights is None and kind == "local-dir":
        return any(Path(place, name).is_file() for name in (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME))
    if asked.weights is None:
        return _is_cached(place, "")
    return Path(asked.weights).is_file() or _is_tag_here(asked.architecture, asked.weights)


def _is_tag_here(architecture: str, tag: str) -> bool:
    config = get_pretrained_cfg(architecture, tag)
    repository, _, file = str(config.get("hf_hub", "")).rpartition("/")
    if repository:  # open_clip prefers it to an address
        return _is_cached(repository, file)
    address = str(config.get("url", ""))
    return bool(address) and (_DOWNLOADS.expanduser() / address.rpartition("/")[2]).is_file()


def _is_cached(repository: str, file: str) -> bool:
    """Says whether the hub's cache has a file of a repository, or its safe twin."""
    return any(isinstance(try_to_load_from_cache(repository, name), str) for name in _twins(file))


def _twins(file: str) -> Sequence[str]:
    if not file:
        return HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
    return str(Path(file).with_suffix(".safetensors")), file
