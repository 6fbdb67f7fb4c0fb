"""Numbers that nobody means: in how many, how much and which vector, over both wires."""

import math
from collections.abc import Iterator, Mapping
from functools import partial

import grpc
import httpx
import orjson

from kindred.v1 import (
    collection_service_pb2,
    collection_service_pb2_grpc,
    content_pb2,
    embedding_service_pb2,
)
from tests.attack.outcome import Outcome
from tests.attack.rpc import OURS
from tests.attack.victim import Victim, victim

DIM = 384
COUNTS = (
    "0",
    "-1",
    "1",
    "1001",
    "2147483647",
    "2147483648",
    "1e3",
    "1.5",
    "9" * 30,
    "null",
    "true",
)
AMOUNTS = (
    *("0", "-0.0", "1", "-1", "1e-308", "5e-324", "1e38", "1e39", "1e308", "-1e308", "1e309"),
    *("9" * 400, "NaN", "Infinity", "null", '"1"', "true"),
)
VECTORS: Mapping[str, str] = {
    "no numbers": "[]",
    "one number": "[1]",
    "one too few": f"[{','.join(['1'] * (DIM - 1))}]",
    "one too many": f"[{','.join(['1'] * (DIM + 1))}]",
    "a million": f"[{','.join(['1'] * 1_000_000)}]",
    "zeros": f"[{','.join(['0'] * DIM)}]",
    "the smallest": f"[{','.join(['1e-45'] * DIM)}]",
    "below the smallest": f"[{','.join(['1e-300'] * DIM)}]",
    "the largest": f"[{','.join(['3.4e38'] * DIM)}]",
    "beyond the largest": f"[{','.join(['1e39'] * DIM)}]",
    "far beyond": f"[{','.join(['1e308'] * DIM)}]",
    "negative": f"[{','.join(['-1'] * DIM)}]",
    "a negative one among zeros": f"[-1{',0' * (DIM - 1)}]",
    "nulls": f"[{','.join(['null'] * DIM)}]",
    "lists": f"[{','.join(['[1]'] * DIM)}]",
    "truths": f"[{','.join(['true'] * DIM)}]",
    "a text": '"' + "1" * DIM + '"',
}
_search = partial(collection_service_pb2.SearchItemsRequest, collection="album")
FLOATS = (0.0, -0.0, 1.0, -1.0, 5e-324, 1e308, -1e308, math.nan, math.inf, -math.inf)


def attack(seconds: float) -> Outcome:
    """Asks each once; `seconds` is not used."""
    outcome = Outcome()
    with victim() as server:
        _over_rest(server, outcome)
        _over_grpc(server, outcome)
        outcome.expect(not server.illness(), server.illness())
    return outcome


def _over_rest(server: Victim, outcome: Outcome) -> None:
    headers = {"content-type": "application/json"}
    with httpx.Client(base_url=server.http, timeout=60) as http:
        http.post("/v1/collections", json={"name": "numbers"})
        for path, body in _bodies():
            answer = http.post(path, content=body.encode(), headers=headers)
            told = f"{path} {body[:120]}: {answer.text[:120]}"
            outcome.note(f"REST {answer.status_code}")
            outcome.expect(answer.status_code < 500, told)
            outcome.expect(not answer.is_success or _is_finite(answer.content), told)


def _bodies() -> Iterator[tuple[str, str]]:
    search, score = "/v1/collections/album/items:search", "/v1/collections/album:score"
    for count in COUNTS:
        yield search, f'{{"query": "red", "k": {count}}}'
        yield search, f'{{"query": "red", "k_per_modality": {count}}}'
        yield "/v1/embeddings", f'{{"input": "red", "dimensions": {count}}}'
        yield "/v1/condition", f'{{"inputs": ["red"], "num_vectors": {count}}}'
    for amount in AMOUNTS:
        part = f'{{"type": "text", "text": "red", "weight": {amount}}}'
        yield search, f'{{"query": {part}}}'
        yield search, f'{{"query": [{part}, {part}]}}'
        yield search, f'{{"query": [{part}, {{"type": "text", "text": "blue"}}]}}'
        yield search, f'{{"query": "red", "min_score": {amount}}}'
        yield search, f'{{"query": "red", "filter": {{"year": {{"$gt": {amount}}}}}}}'
        yield search, f'{{"query": "red", "filter": {{"year": {{"$in": [{amount}]}}}}}}'
    for vector in VECTORS.values():
        part = f'{{"type": "vector", "modality": "text", "vector": {vector}'
        for weight in ("1", "-1", "1e308"):
            yield search, f'{{"query": {part}, "weight": {weight}}}}}'
        yield score, f'{{"query": {part}}}}}'
        yield "/v1/embeddings", f'{{"input": {part}}}}}'
        yield "/v1/rank", f'{{"query": {part}}}, "candidates": ["a", {part}}}]}}'
        yield (
            "/v1/collections/numbers/items:upsert",
            f'{{"items": [{{"id": "a", "content": {part}}}}}]}}',
        )


def _is_finite(body: bytes) -> bool:
    """Tells whether an answer is JSON, which has no other numbers, without a score of null."""
    hits = orjson.loads(body).get("hits", ())
    return all(isinstance(hit["score"], float) for hit in hits)


def _over_grpc(server: Victim, outcome: Outcome) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = collection_service_pb2_grpc.CollectionServiceStub(channel)
        for asked in _searches():
            reason = ""
            try:
                hits = stub.SearchItems(asked, timeout=60).hits
                outcome.expect(all(math.isfinite(hit.score) for hit in hits), str(asked)[:200])
            except grpc.RpcError as error:
                reason = error.code().name
            outcome.note(f"gRPC {reason or 'answers'}")
            outcome.expect(reason not in OURS, f"{reason}: {str(asked)[:200]}")
        for size in (1, 3, 4 * DIM - 1, 4 * DIM + 2):
            _packed(channel, outcome, size)


def _searches() -> Iterator[object]:
    text = content_pb2.Content(text="red")
    for number in FLOATS:
        vector = content_pb2.Vector(values=[number] * DIM, modality=content_pb2.MODALITY_TEXT)
        for content, weight in ((text, number), (content_pb2.Content(vector=vector), 1.0)):
            part = collection_service_pb2.QueryPart(content=content, weight=weight)
            yield _search(query=[part])
            yield _search(query=[part, part])
        yield _search(query=[collection_service_pb2.QueryPart(content=text)], min_score=number)
    for count in (0, -1, 2**31 - 1, -(2**31)):
        part = collection_service_pb2.QueryPart(content=text)
        yield _search(query=[part], k=count)
        yield _search(query=[part], k_per_modality=count)


def _packed(channel: grpc.Channel, outcome: Outcome, size: int) -> None:
    """Sends a vector whose packed bytes are no whole number of floats."""
    values = b"\x0a" + _varint(size) + bytes(size)
    content = b"\x22" + _varint(len(values)) + values
    for field in (b"\x0a", b"\x12", b"\x1a", b"\x22", b"\x2a"):  # whichever the vector is
        inner = field + content[1:]
        body = b"\x0a" + _varint(len(inner)) + inner
        call = channel.unary_unary("/kindred.v1.EmbeddingService/Embed")
        try:
            told = embedding_service_pb2.EmbedResponse.FromString(call(body, timeout=60))
            outcome.note("gRPC packed answers")
            outcome.expect(all(it.error.reason for it in told.results), f"{size} bytes: {told}")
        except grpc.RpcError as error:
            outcome.note(f"gRPC packed {error.code().name}")
            outcome.expect(error.code().name not in OURS, f"{size} bytes: {error.code().name}")


def _varint(number: int) -> bytes:
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])
