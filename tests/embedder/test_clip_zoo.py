"""What is told of open_clip's models without loading them or asking a network."""

from pathlib import Path

import pytest
import torch

from embedder import catalog
from embedder.models.clip_names import ClipName
from embedder.models.clip_parameters import PARAMETERS
from embedder.models.clip_zoo import clip_models, is_here
from embedder.models.open_clip_import import import_open_clip
from tests.embedder.open_clip_folders import write_folder


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the hub's cache and open_clip's own into an empty folder."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("embedder.models.clip_zoo._DOWNLOADS", tmp_path / "clip")
    return tmp_path


def keep(hub: Path, repository: str, file: str) -> None:
    """Puts a file where the hub's client keeps it."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / file).write_bytes(b"weights")


def test_every_tag_of_open_clip_is_described() -> None:
    names = list(clip_models())
    assert len(names) == len(import_open_clip().list_pretrained()) > 150
    assert "open_clip:ViT-B-32/laion2b_s34b_b79k" in names
    for name in names:
        spec = catalog.find(name)
        assert spec.dim > 0, name
        assert not spec.is_here(), name


@pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_the_hubs_cache_is_looked_at(caches: Path, file: str) -> None:
    asked = ClipName.parse("open_clip:ViT-B-32/laion2b_s34b_b79k")
    keep(caches / "hub", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", file)
    assert is_here(asked)
    assert is_here(ClipName.parse("open_clip:hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"))
    assert not is_here(ClipName.parse("open_clip:ViT-B-32/openai"))


def test_open_clips_own_cache_is_looked_at(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"url": "https://models.example/weights/ViT-B-32.pt"}
    monkeypatch.setattr("embedder.models.clip_zoo.get_pretrained_cfg", lambda *_: config)
    asked = ClipName.parse("open_clip:ViT-B-32/openai")
    assert not is_here(asked)
    (caches / "clip").mkdir()
    (caches / "clip" / "ViT-B-32.pt").write_bytes(b"weights")
    assert is_here(asked)


def test_files_and_folders_are_looked_at(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "vit", "vit")
    weights = folder / "open_clip_pytorch_model.bin"
    assert is_here(ClipName.parse(f"open_clip:ViT-B-32/{weights}"))
    assert is_here(ClipName.parse(f"open_clip:local-dir:{folder}"))
    weights.unlink()
    assert not is_here(ClipName.parse(f"open_clip:ViT-B-32/{weights}"))
    assert not is_here(ClipName.parse(f"open_clip:local-dir:{folder}"))


@pytest.mark.parametrize("architecture", ["ViT-B-32", "convnext_base", "ViT-B-16-SigLIP"])
def test_weights_are_counted_as_open_clip_builds_them(architecture: str) -> None:
    with torch.device("meta"):
        network = import_open_clip().create_model(architecture, device="meta")
    assert PARAMETERS[architecture] == sum(each.numel() for each in network.parameters())


@pytest.mark.parametrize(
    ("name", "licence", "non_commercial"),
    [
        ("ViT-B-32/openai", "MIT", False),
        ("ViT-L-14/dfn2b", "Apple-AMLR", True),
        ("MobileCLIP-B/datacompdr", "Apple-AMLR", True),
        ("ViT-L-14-CLIPA/datacomp1b", "Apache-2.0", False),
        ("ViTamin-B/datacomp1b", "MIT", False),
        ("ViT-H-14-worldwide/metaclip2_worldwide", "CC-BY-NC-4.0", True),
        ("hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "MIT", False),
        ("RN50/cc12m", "unknown", False),
        ("ViT-B-32/openai.pt", "unknown", False),
        ("ViT-B-32/downloads/openai", "unknown", False),
    ],
)
def test_licences_are_those_of_the_publishers(
    name: str, licence: str, non_commercial: bool
) -> None:
    spec = catalog.find(f"open_clip:{name}")
    assert (spec.licence, spec.non_commercial) == (licence, non_commercial)
