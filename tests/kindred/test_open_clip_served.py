"""open_clip's models against open_clip itself, through checkpoint, server and both wires."""

import base64
from collections.abc import Iterator, Mapping

import httpx
import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from embedder.base import Vectors
from embedder.models.open_clip_import import import_open_clip
from kindred import Client, ContentLike, Image
from service.serve import Addresses
from tests.embedder.open_clip_folders import KINDS, write_folder
from tests.kindred.servers import serving
from tests.samples import image_bytes, photo

TEXTS = ("a cat on a mat", "A dog,  at the BEACH!", "the sound of rain " * 30)
PICTURES = (photo(1, (90, 60)), photo(2, (64, 64)), photo(3, (30, 200)))
CONTENTS: list[ContentLike] = [*TEXTS, *(Image(image_bytes(picture)) for picture in PICTURES)]
PARITY = 1e-6


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
    with serving(tmp_path_factory.mktemp("data"), models=names, threads=1) as found:
        yield found


def own_vectors(place: str) -> Vectors:
    """Returns what open_clip's own `encode_*` make of the contents, as unit vectors."""
    open_clip = import_open_clip()
    network, _, transform = open_clip.create_model_and_transforms(place)
    pixels = [transform(PIL.Image.fromarray(np.array(picture.pixels))) for picture in PICTURES]
    with torch.inference_mode():
        words = network.eval().encode_text(open_clip.get_tokenizer(place)(list(TEXTS)))
        pictures = network.encode_image(torch.stack(pixels))
    vectors: Vectors = functional.normalize(torch.cat([words, pictures]), dim=-1).numpy()
    return vectors


def posted(address: str, model: str, encoding: str) -> NDArray[np.float32]:
    """Returns the vectors that `POST /v1/embeddings` answers, in either of its encodings."""
    pictures = [base64.b64encode(image_bytes(picture)).decode() for picture in PICTURES]
    asked = [*TEXTS, *({"type": "image", "data": data} for data in pictures)]
    body = {"model": model, "input": asked, "encoding_format": encoding}
    answer = httpx.post(f"{address}/v1/embeddings", json=body, timeout=60).raise_for_status()
    rows = [entry["embedding"] for entry in answer.json()["data"]]
    if encoding == "base64":
        return np.stack([np.frombuffer(base64.b64decode(row), dtype="<f4") for row in rows])
    return np.array(rows, dtype=np.float32)


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


def test_every_model_tells_its_own_space(addresses: Addresses, places: Mapping[str, str]) -> None:
    with Client(addresses.grpc) as client:
        models = client.models()
    assert [model.name for model in models] == [f"open_clip:{place}" for place in places.values()]
    assert len({model.space for model in models}) == len(KINDS)
    assert {(model.runtime, model.device, model.precision) for model in models} == {
        ("torch", "cpu", "fp32")
    }
    assert [model.dim for model in models] == [48, 48, 192]
