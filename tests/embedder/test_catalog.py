"""Names, suggestions, and a cheap import."""

import subprocess
import sys

import pytest

from embedder import catalog
from embedder.errors import ModelNotFound


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
