"""Items whose vectors are known, among them bad ones, and whether each is answered as it must be.

What is known is embedded beforehand, each item alone; under load, in whatever batch an item comes,
and whatever comes with it, its vector must be the same but for rounding, and nobody else's.
"""

import base64
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.serve import items
from benchmarks.serve.wires import Answer, Channel, Connection
from kindred.v1.content_pb2 import Content
from kindred.v1.embedding_service_pb2 import EmbedResponse

KNOWN = {"text": 256, "image": items.PHOTOS}

LEAST_COSINE = 0.9999
"""To the vector of its item alone. In bfloat16 about one text in 3000 is rounded otherwise in some
batches: no number of it was seen to move by more than 0.0009."""

Found = NDArray[np.float32] | str
"""A vector, or the reason of the error that took its place."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One item of a request: "good" and its place among the known, or a bad one and its reason."""

    name: str
    content: Content
    place: int = 0
    reason: str = ""


class Mix:
    """Makes requests and judges answers.

    Args:
        kind: "text" or "image".
        batch: Items in a request.
        bad: Part of the items that are bad.
        is_rpc: Whether they go over gRPC.
    """

    def __init__(self, kind: str, batch: int, bad: float, *, is_rpc: bool) -> None:
        first = random.SystemRandom().randrange(1 << 40)  # what nobody sent before
        goods = [items.good(kind, first + place) for place in range(KNOWN[kind])]
        self._most_off = 0.0
        self._goods = [Sent("good", good, place) for place, good in enumerate(goods)]
        self._bads = [
            Sent(name, content, reason=reason) for name, (content, reason) in items.bad().items()
        ]
        self._batch, self._share = batch, bad
        self._written = items.message_of if is_rpc else items.body_of
        self._read = _of_message if is_rpc else _of_body
        self._vectors: NDArray[np.float32]

    async def learn(self, connection: Connection | Channel) -> None:
        """Has each known item embedded alone.

        Raises:
            RuntimeError: If one is refused.
        """
        vectors = []
        for good in self._goods:
            (found,) = self._read(await connection.ask(self._written([good.content])), 1)
            if isinstance(found, str):
                raise RuntimeError(f"a good item was answered with {found}")
            vectors.append(found)
        self._vectors = np.stack(vectors)

    def requests(self) -> Iterator[tuple[Sequence[Sent], bytes]]:
        """Yields requests without end: the items of each, and how it is written."""
        rng, number, kinds = random.Random(1), 0, 0
        while True:
            sent = list[Sent]()
            for _ in range(self._batch):
                if rng.random() < self._share:
                    kinds += 1
                    sent.append(self._bads[kinds % len(self._bads)])
                else:
                    number += 1
                    sent.append(self._goods[number % len(self._goods)])
            yield sent, self._written([each.content for each in sent])

    def said(self, sent: Sequence[Sent], answer: Answer) -> list[str]:
        """Returns, of each item, its name, with what is wrong with its answer if anything is."""
        pairs = zip(sent, self._read(answer, len(sent)), strict=True)
        return [each.name + self._wrong(each, found) for each, found in pairs]

    def checked(self) -> Mapping[str, float]:
        """Returns the largest difference of any number of a vector to that of its item alone."""
        return {"most_off": self._most_off}

    def _wrong(self, sent: Sent, found: Found) -> str:
        if isinstance(found, str):
            return "" if found == sent.reason else f" answered {found}"
        if sent.reason:
            return " embedded"
        known = self._vectors[sent.place]
        self._most_off = max(self._most_off, float(np.abs(found - known).max()))
        cosines = self._vectors @ found
        is_its_own = cosines[sent.place] >= max(LEAST_COSINE, cosines.max())
        return "" if is_its_own else " off"


def _of_body(answer: Answer, count: int) -> list[Found]:
    if answer.reason:
        return [answer.reason] * count
    return [
        each["error"]["reason"]
        if each.get("error")
        else np.frombuffer(base64.b64decode(each["embedding"]), dtype="<f4")
        for each in orjson.loads(answer.body)["data"]
    ]


def _of_message(answer: Answer, count: int) -> list[Found]:
    if answer.reason:
        return [answer.reason] * count
    return [
        each.error.reason
        if each.HasField("error")
        else np.array(each.embedding.vector.values, dtype=np.float32)
        for each in EmbedResponse.FromString(answer.body).results
    ]
