"""Names, suggestions, and a cheap import."""

import subprocess
import sys
from pathlib import Path

import pytest

from embedder import catalog
from embedder.errors import ModelNotFound, WeightsError
from tests.embedder.imagebind_weights import reduced, seeded_state, write_checkpoint
from tests.embedder.open_clip_folders import write_folder


def test_every_entry_is_complete() -> None:
    for spec in catalog.CATALOGUE:
        assert spec.name
        assert spec.modalities
        assert spec.dim > 0
        assert spec.parameters > 0
        assert spec.licence
        assert spec.description.endswith(".")
    assert len(set(catalog.names())) == len(catalog.CATALOGUE)
    assert catalog.names()[0] == catalog.DEFAULT_MODEL


def test_a_slip_gets_a_suggestion() -> None:
    with pytest.raises(ModelNotFound, match=r"got 'kindred-mimi'; did you mean kindred-mini\?"):
        catalog.find("kindred-mimi")
    with pytest.raises(ModelNotFound, match="there are kindred-mini"):
        catalog.load("zzz")


def test_importing_the_catalogue_loads_no_model_library() -> None:
    code = "import embedder.catalog, sys; print([m for m in ('torch', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "licence", "dim"),
    [
        ("open_clip:ViT-B-32/laion2b_s34b_b79k", "MIT", 512),
        ("open_clip:ViT-L-14/own.pt", "unknown", 768),
        ("imagebind:weights/imagebind_huge.pth", "CC-BY-NC-SA-4.0", 1024),
    ],
)
def test_names_of_families_are_described_without_being_loaded(
    name: str, licence: str, dim: int
) -> None:
    spec = catalog.find(name)
    assert (spec.name, spec.licence, spec.dim) == (name, licence, dim)


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    with pytest.raises(ModelNotFound, match="imagebind:FILE"):
        catalog.find("clap:music")


def test_a_licence_that_forbids_commerce_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shape = reduced()
    path = write_checkpoint(tmp_path / "imagebind_huge.pth", seeded_state(shape))
    with pytest.raises(WeightsError, match="missing"):
        catalog.load(f"imagebind:{path}")  # of the full size only
    assert [r.message for r in caplog.records if "CC-BY-NC-SA-4.0" in r.message]


def test_a_model_of_a_family_goes_by_the_name_it_was_asked_for(tmp_path: Path) -> None:
    name = f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit')}"
    model = catalog.load(name)
    assert model.name == name
    assert model.parameters > 100_000
