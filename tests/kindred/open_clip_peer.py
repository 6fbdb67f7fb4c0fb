"""What open_clip makes of some contents, and what a server of ours answers about them."""

import base64

import httpx
import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch.nn import functional

from embedder.base import Vectors
from embedder.models.open_clip_import import import_open_clip
from kindred import ContentLike, Image
from tests.samples import image_bytes, photo

TEXTS = ("a cat on a mat", "A dog,  at the BEACH!", "the sound of rain " * 30)
PICTURES = (photo(1, (90, 60)), photo(2, (64, 64)), photo(3, (30, 200)))
CONTENTS: list[ContentLike] = [*TEXTS, *(Image(image_bytes(picture)) for picture in PICTURES)]
PARITY = 1e-6
"""How far a number of ours may be from open_clip's."""


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
