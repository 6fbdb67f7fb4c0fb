"""The official OpenAI client, unchanged."""

from collections.abc import AsyncIterator

import numpy as np
import openai
import pytest

from embedder.media import Text
from service.serve import Addresses
from tests.fakes import DIM, FakeEmbedder

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(addresses: Addresses) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{addresses.http}/v1", api_key="none") as made:
        yield made


async def test_texts_are_embedded(client: openai.AsyncOpenAI) -> None:
    words = ["red", "loud noise"]
    answer = await client.embeddings.create(model="fake", input=words)
    np.testing.assert_allclose(
        [entry.embedding for entry in answer.data],
        FakeEmbedder().embed([Text(word) for word in words]),
        atol=1e-6,
    )
    assert (answer.model, answer.usage.total_tokens) == ("fake", 3)


async def test_floats_and_base64_are_the_same_vector(client: openai.AsyncOpenAI) -> None:
    packed = await client.embeddings.create(model="fake", input="some words")
    floats = await client.embeddings.create(
        model="fake", input="some words", encoding_format="float"
    )
    ours, theirs = (np.array(it.data[0].embedding, dtype=np.float32) for it in (packed, floats))
    assert np.array_equal(ours, theirs)


async def test_dimensions_are_cut(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="fake", input="red loud", dimensions=10)
    vector = np.array(answer.data[0].embedding)
    assert vector.shape == (10,)
    assert np.linalg.norm(vector) == pytest.approx(1)


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["fake"]
    assert (await client.models.retrieve("fake")).owned_by == "kindred"


async def test_errors_are_its_own_exceptions(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="served"):
        await client.embeddings.create(model="other", input="red")
    with pytest.raises(openai.BadRequestError, match=f"1 to {DIM}"):
        await client.embeddings.create(model="fake", input="red", dimensions=99)
    with pytest.raises(openai.BadRequestError, match="item 1: text must hold"):
        await client.embeddings.create(model="fake", input=["red", " "])
