"""The command line's models: listed without a network, checked, and bound."""

import json
import re
from pathlib import Path

import pytest

from embedder import catalog
from embedder.media import Text
from embedder.runtime import derive
from embedder.runtime.openvino import native_precision
from service.settings import load_settings
from tests.embedder.open_clip_folders import write_folder
from tests.embedder.training.sound_shards import write_sounds
from tests.service.test_cli import kindred


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps forward passes to one thread: on a busy machine, several wait for each other."""
    monkeypatch.setenv("KINDRED_THREADS", "1")


def test_models_are_listed_without_being_loaded() -> None:
    (model,) = json.loads(kindred("models", "--json").stdout)
    assert model == {
        "name": "kindred-mini",
        "description": "Small model for words, pictures and sounds that ships with Kindred.",
        "modalities": ["text", "image", "audio"],
        "dim": 384,
        "parameters": 13_865_652,
        "licence": "Apache-2.0",
        "non_commercial": False,
        "here": True,
        "download_bytes": 0,
    }
    table = kindred("models").stdout
    assert re.search(r"kindred-mini.*text, image, audio.*384.*13.9 M.*Apache-2.0.*bundled", table)
    assert "open_clip:ARCHITECTURE/WEIGHTS" in table


def test_models_of_the_settings_are_listed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit')}"
    monkeypatch.setenv("KINDRED_MODELS", f"kindred-mini,{name}")
    _, own = json.loads(kindred("models", "--json").stdout)
    assert (own["name"], own["dim"], own["here"]) == (name, 48, True)


def test_a_family_is_listed_with_what_is_to_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    listed = kindred("models", "--family", "open_clip", "--search", "ViT-B-32/laion2b", "--json")
    by_name = {model["name"]: model for model in json.loads(listed.stdout)}
    model = by_name["open_clip:ViT-B-32/laion2b_s34b_b79k"]
    assert (model["licence"], model["here"]) == ("MIT", False)
    assert model["download_bytes"] == 4 * model["parameters"] == 605_109_252
    table = kindred("models", "--family", "open_clip", "--search", "ViT-B-32/laion2b_e16").stdout
    assert re.search(r"ViT-B-32/laion2b_e16 .*MIT.*to be downloaded \(605 MB\)", table)
    table = kindred("models", "--family", "open_clip", "--search", "MobileCLIP-S1").stdout
    assert re.search(r"MobileCLIP-S1/datacompdr .*Apple-AMLR \(no", table)
    assert kindred("models", "--family", "clap").exit_code == 2


def test_a_model_is_checked(tmp_path: Path) -> None:
    place = f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit')}"
    exactly = ("models", "check", place, "--runtime", "torch")
    result = kindred(*exactly)
    assert result.exit_code == 0
    assert "48 dimensions, licence unknown, torch on cpu, fp32" in result.stdout
    assert "space open_clip-" in result.stdout
    assert result.stdout.count("1.000000") == 4
    half = kindred(*exactly, "--precision", "bf16").stdout
    assert "torch on cpu, bf16" in half
    assert half.splitlines()[-1] == result.stdout.splitlines()[-1]  # the space
    cosines = [float(row.rpartition("0.")[2][:6]) for row in half.splitlines() if " 0.9" in row]
    assert len(cosines) == 3
    (least,) = re.findall(r"least cosine to float32 over more probes: (\S+)", half)
    assert 0.999 <= float(least) < 1
    unfaithful = kindred(*exactly, "--precision", "bf16", "--least-fidelity", "1")
    assert unfaithful.exit_code != 0
    told = r"must be 1\.0 or more, got 0\.99\d+ from torch on tower open_clip-"
    assert re.search(told, unfaithful.stderr)
    refused = kindred(*exactly, "--precision", "fp16")
    assert refused.exit_code == 1
    assert "fp16 needs a GPU" in refused.stderr


def test_a_model_that_is_not_there_is_refused() -> None:
    result = kindred("models", "check", "open_clip:ViT-B-32/none.pt")
    assert result.exit_code == 2
    assert "neither a file nor weights" in result.stderr


def test_binding_from_the_command_line(tmp_path: Path) -> None:
    base = f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit')}"
    shards, out = write_sounds(tmp_path / "shards", clips=2), tmp_path / "hears.safetensors"
    asked = ("bind", "--base", base, "--data", shards, "-o", out)
    result = kindred(*asked, "--steps", "1", "--batch", "8")
    assert result.exit_code == 0, result.stderr
    assert f"--model bound:{out}" in result.stdout.replace("\n", "")
    checked = kindred("models", "check", f"bound:{out}", "--runtime", "torch")
    assert len(re.findall(r"(audio|image|text).*1\.000000", checked.stdout)) == 3
    assert kindred(*asked, "--modality", "smell").exit_code == 2


def test_a_warmed_cache_is_all_that_a_start_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a tiny model: what CPUs with and without bfloat16 take, and then nothing is derived."""
    name = f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit')}"
    monkeypatch.setenv("KINDRED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KINDRED_RUNTIME", "openvino")
    told = kindred("models", "warm", name).stdout
    assert re.search(r"openvino f32, [\d.]+ s\nkept in .*cache\n$", told)
    kept = {path.name for path in (tmp_path / "cache/graphs").iterdir()}
    towers = {file.partition("-openvino")[0] for file in kept}
    native = native_precision()
    ways = {"f32"} if native == "f32" else {"f32", "bf16-f32"}
    assert len(towers) == 2
    assert len(kept) == len(towers) * len(ways)
    assert {re.sub(r".*-openvino[\d.]+-(.*)-\d+\.npz", r"\1", file) for file in kept} == ways
    monkeypatch.setattr(derive, "derive", None)  # would be a TypeError
    for precision in ("auto", "fp32"):
        placement = load_settings(precision=precision).placement
        catalog.load(name, placement).embed([Text("red")])
