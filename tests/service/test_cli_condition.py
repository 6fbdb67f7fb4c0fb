"""`kindred condition`: the file that it writes, in this process and on a server."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner, Result

from embedder.conditioning.fitting import Pairs, fit_adapter
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profile import Holds
from embedder.conditioning.profiles import find_profile
from embedder.decode import decode_image
from service.cli import app
from service.serve import Addresses
from tests.embedder.conditioning.spaces import vectors
from tests.fakes import DIM, FakeEmbedder
from tests.samples import image_bytes, picture
from tests.service.test_cli import open_fake
from tests.service.test_cli_server import addresses

__all__ = ["addresses"]

pytestmark = pytest.mark.usefixtures("decodes_here")


def kindred(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["condition", *map(str, args)], obj=open_fake)


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    path.write_bytes(image_bytes(picture("red")))
    return path


def test_a_picture_is_its_own_condition(tmp_path: Path, red: Path) -> None:
    made = kindred("--image", red, "--seed", "3", "-o", tmp_path / "out.safetensors")
    assert made.exit_code == 0, made.output
    found = load_file(tmp_path / "out.safetensors")["vectors"]
    expected = FakeEmbedder().embed([decode_image(red.read_bytes())])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert f'load_file("{tmp_path / "out.safetensors"}")' in made.stdout


def test_what_is_printed_reads_the_file_that_was_written(tmp_path: Path, red: Path) -> None:
    made = kindred("--image", red, "-o", tmp_path / "out.npz")
    assert made.exit_code == 0, made.output
    left: dict[str, object] = {}
    exec(compile(made.stdout, "snippet", "exec"), left)
    expected = FakeEmbedder().embed([decode_image(red.read_bytes())])
    np.testing.assert_allclose(np.asarray(left["vectors"]), expected, atol=1e-6)


def test_an_adapter_of_the_data_folder_leads_to_its_target(tmp_path: Path) -> None:
    data = tmp_path / "data"
    profile, sources = find_profile("sd21-unclip-h"), vectors(100, DIM)
    targets = np.resize(sources, (100, profile.dim))
    pairs = Pairs(sources, {Holds.CONDITION: targets})
    Adapters(data / ".adapters").install(fit_adapter(profile, FakeEmbedder().space, pairs))
    made = kindred("a red thing", "--profile", profile.id, "--data", data)
    assert made.exit_code == 0, made.output
    assert np.shape(json.loads(made.stdout)["tensors"]["image_embeds"]) == (1, profile.dim)
    assert [*data.iterdir()] == [data / ".adapters"]  # no collection is made for it


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_a_server_makes_the_same_tensors(addresses: Addresses, red: Path, wire: str) -> None:
    asked = ("a red thing", "--image", red, "--negative", "blue", "--seed", "3", "-n", "2")
    here, there = kindred(*asked), kindred(*asked, "--server", getattr(addresses, wire))
    assert here.exit_code == there.exit_code == 0, there.output
    assert json.loads(here.stdout) == json.loads(there.stdout)


@pytest.mark.parametrize(
    ("args", "rule"),
    [
        (("a", "-o", "out.pt"), "must end in .safetensors or .npz"),
        ((), "what should it listen to?"),
        (("a", "--profile", "sd21"), "a profile must be one of Kindred's"),
        (("a", "--profile", "sd21-unclip-h"), "an adapter must be fitted"),
    ],
)
def test_what_cannot_be_made_is_refused_by_its_rule(args: tuple[str, ...], rule: str) -> None:
    refused = kindred(*args)
    assert refused.exit_code == 2
    assert rule in " ".join(refused.stderr.replace("│", " ").split())
