"""`kindred profile`: on real files; only the model is a fake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from embedder import catalog
from embedder.conditioning.adapter import Adapter
from embedder.conditioning.profiles import profile_ids
from service.cli import app
from tests.embedder.conditioning.spaces import vectors
from tests.fakes import DIM, FakeEmbedder


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEmbedder:
    model = FakeEmbedder()
    monkeypatch.setattr(catalog, "load", lambda *_: model)
    return model


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Files of vectors, and of what a linear map makes of them."""
    sources = vectors(100, DIM)
    weights = np.random.default_rng(0).standard_normal((DIM, 1024))
    np.save(tmp_path / "a.npy", sources)
    np.save(tmp_path / "b.npy", (sources @ weights).astype(np.float32))
    return tmp_path / "a.npy", tmp_path / "b.npy"


def kindred(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["profile", *map(str, args)])


def listed(data: Path) -> dict[str, dict[str, Any]]:
    told = kindred("list", "--json", "--data", data)
    assert told.exit_code == 0, told.output
    return {profile["id"]: profile for profile in json.loads(told.stdout)}


def fit(pairs: tuple[Path, Path], *more: str | Path) -> Result:
    return kindred("fit", "--source", pairs[0], "--target", pairs[1], *more)


def test_what_is_fitted_is_listed_and_tied_to_the_space(
    tmp_path: Path, pairs: tuple[Path, Path], fake: FakeEmbedder
) -> None:
    assert listed(tmp_path)["sd21-unclip-h"]["adapters"] == []
    made = fit(pairs, "--profile", "sd21-unclip-h", "--data", tmp_path)
    assert made.exit_code == 0, made.output
    assert "100 pairs; of 10 held out, cosine 1.000, R@1 100.0% (chance 10.0%)" in made.stdout
    (card,) = listed(tmp_path)["sd21-unclip-h"]["adapters"]
    assert card["space"] == fake.space.id
    table = kindred("list", "--data", tmp_path).stdout
    assert "needs an adapter" in table
    assert f"adapter from {fake.space.id}" in " ".join(table.replace("│", " ").split())


def test_every_profile_can_be_listed_and_shown(tmp_path: Path) -> None:
    assert tuple(listed(tmp_path)) == profile_ids()
    assert listed(tmp_path)["kindred-demo"]["served_as_it_is"] is True
    for profile in profile_ids():
        shown = kindred("show", profile, "--data", tmp_path)
        assert shown.exit_code == 0, shown.output
        assert "load_file" in shown.stdout
        assert json.loads(kindred("show", profile, "--json").stdout)["id"] == profile


def test_an_adapter_can_be_written_elsewhere(
    tmp_path: Path, pairs: tuple[Path, Path], fake: FakeEmbedder
) -> None:
    out = tmp_path / "own.safetensors"
    made = fit(pairs, "--profile", "ip-adapter-sd15", "--out", out, "--data", tmp_path)
    assert made.exit_code == 0, made.output
    assert Adapter.load(out, fake.space.id).card.profile == "ip-adapter-sd15"
    assert listed(tmp_path)["ip-adapter-sd15"]["adapters"] == []


def test_a_negative_is_brought_along(
    tmp_path: Path, pairs: tuple[Path, Path], fake: FakeEmbedder
) -> None:
    np.save(tmp_path / "n.npy", np.full(1024, 0.5))
    made = fit(
        pairs, "--profile", "sd21-unclip-h", "--negative", tmp_path / "n.npy",
        "--out", tmp_path / "x.safetensors",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    (head,) = Adapter.load(tmp_path / "x.safetensors", fake.space.id).heads.values()
    assert (head.negative == 0.5).all()


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("sd21", "a profile must be one of Kindred's"),
        ("sd21-unclip-l", "must be (100, 768), got (100, 1024)"),
    ],
)
def test_wrong_use_is_refused_in_one_line(
    pairs: tuple[Path, Path], profile: str, said: str
) -> None:
    refused = fit(pairs, "--profile", profile)
    assert refused.exit_code == 2
    assert said in " ".join(refused.stderr.split())


def test_a_file_that_is_no_array_is_refused(tmp_path: Path, pairs: tuple[Path, Path]) -> None:
    pairs[1].write_text("no array")
    refused = fit(pairs, "--profile", "sd21-unclip-h")
    assert refused.exit_code == 2
    assert "must be a NumPy file" in " ".join(refused.stderr.replace("│", " ").split())
