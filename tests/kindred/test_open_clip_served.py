"""open_clip's models against open_clip itself, through checkpoint, server and both wires."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from kindred import Client
from service.serve import Addresses
from tests.embedder.open_clip_folders import KINDS, write_folder
from tests.kindred.open_clip_peer import CONTENTS, PARITY, own_vectors, posted
from tests.kindred.servers import serving


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """One reduced model of each architecture, as checkpoints, by open_clip's names of them."""
    folder = tmp_path_factory.mktemp("open_clip")
    return {kind: f"local-dir:{write_folder(folder / kind, kind)}" for kind in KINDS}


@pytest.fixture(scope="module")
def addresses(
    places: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Addresses]:
    names = tuple(f"open_clip:{place}" for place in places.values())
    data = tmp_path_factory.mktemp("data")
    with serving(data, models=names, threads=1, runtime="torch") as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_served_vectors_equal_open_clips_own(
    addresses: Addresses, places: Mapping[str, str], kind: str
) -> None:
    model, expected = f"open_clip:{places[kind]}", own_vectors(places[kind])
    floats = posted(addresses.http, model, "float")
    np.testing.assert_allclose(floats, expected, atol=PARITY)
    np.testing.assert_array_equal(posted(addresses.http, model, "base64"), floats)
    for address in addresses:
        with Client(address) as client:
            found = client.embed(CONTENTS, model=model)
        np.testing.assert_array_equal(found.vectors, floats)
        assert found.model == model


def test_the_fastest_runtime_s_vectors_are_nearly_open_clips_own(
    places: Mapping[str, str], tmp_path: Path
) -> None:
    model, expected = f"open_clip:{places['vit']}", own_vectors(places["vit"])
    cache = tmp_path / "cache"
    with (
        serving(tmp_path / "data", models=(model,), threads=1, cache=cache) as found,
        Client(found.grpc) as client,
    ):
        (info,) = client.models()
        vectors = client.embed(CONTENTS).vectors
    assert info.runtime != "torch"
    assert info.fidelity > 0.9999
    assert (vectors * expected).sum(axis=1).min() > 0.999
    assert len(list((cache / "graphs").iterdir())) == 2


def test_every_model_tells_its_own_space(addresses: Addresses, places: Mapping[str, str]) -> None:
    with Client(addresses.grpc) as client:
        models = client.models()
    assert [model.name for model in models] == [f"open_clip:{place}" for place in places.values()]
    assert len({model.space for model in models}) == len(KINDS)
    assert {(model.runtime, model.device, model.precision) for model in models} == {
        ("torch", "cpu", "fp32")
    }
    assert [model.dim for model in models] == [48, 48, 192]
