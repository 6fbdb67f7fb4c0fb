"""A hundred questions of every method, made by dice: one server is asked over REST, its twin over
gRPC, and both live the same life: the same answers, the same reasons, whatever is stored."""

import inspect
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from kindred import Audio, Client, Image, ItemInput, KindredError
from tests.fakes import FakeEmbedder
from tests.generator import saved_generator
from tests.kindred.grammar import GRAMMAR, Dice
from tests.kindred.servers import serving
from tests.kindred.wires import comparable, gathered
from tests.samples import audio_bytes, image_bytes, picture, tone

QUESTIONS = 100
"""Of each method."""

OWN = frozenset({"created", "bytes"})
"""What is of the moment, or of the folder."""

BY_OTHERS = frozenset(
    ("close", "with_timeout", "list_items", "upload", "download_snapshot", "list_job_errors")
)
"""Methods that ask by means of another one, or nobody."""

ONLY_WRONG = frozenset(
    ("upload_snapshot", "create_job", "get_job", "cancel_job", "watch_job", "job_error_page")
)
"""Methods whose right questions other tests ask: a real snapshot is large, a job takes its time."""

ITEMS = [
    ItemInput(Image(image_bytes(picture("red"))), "red", {"year": 2020, "deep": {"list": [1]}}),
    ItemInput("some words", "words", {"year": 2021, "share": 0.1}),
    ItemInput(Audio(audio_bytes(tone(seconds=0.2))), "loud"),
    ItemInput("a name with a slash", "a/b c", {"year": None}),
]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """Two servers of the same: a client over REST to one, over gRPC to the other."""
    with ExitStack() as stack:
        clients = []
        for wire in ("http", "grpc"):
            folder, embedder = tmp_path_factory.mktemp(wire), FakeEmbedder(gap=0.5)
            weights = saved_generator(folder / "demo.safetensors", embedder.space)
            options = {"generator": weights, "decode_workers": 0}
            addresses = stack.enter_context(serving(folder, [embedder], **options))
            clients.append(stack.enter_context(Client(getattr(addresses, wire))))
        yield clients[0], clients[1]


@pytest.fixture(autouse=True)
def album(twins: tuple[Client, Client]) -> None:
    """Stores a few items on both, and points an alias there, whatever was left of them."""
    names = {each.name for each in twins[0].list_snapshots()}
    for client in twins:
        for alias in client.list_aliases():
            client.delete_alias(alias.name)
        if "album" not in {each.name for each in client.list_collections()}:
            client.create_collection("album")
        client.set_alias("shelf", "album")
        client.upsert("album", ITEMS)
        if "album.snapshot" not in names:
            taken = client.take_snapshot("album").name
            pieces = list(client.snapshot_pieces(taken))
            client.upload_snapshot(pieces, name="album.snapshot")
            client.delete_snapshot(taken)


def answer_of(client: Client, method: str, args: Any, options: Any) -> Any:  # noqa: ANN401
    try:
        answer = getattr(client, method)(*args, **options)
        # The file of a snapshot holds the second it was taken.
        return type(gathered(list(answer))) if inspect.isgenerator(answer) else answer
    except KindredError as error:
        return error


def lasting(answer: Any, own: frozenset[str]) -> Any:  # noqa: ANN401 - any answer
    """Returns an answer without what differs between any two servers."""
    if isinstance(answer, dict):
        return {key: lasting(value, own) for key, value in answer.items() if key not in own}
    return [lasting(each, own) for each in answer] if isinstance(answer, list) else answer


def test_every_method_has_questions() -> None:
    methods = {name for name in vars(Client) if not name.startswith("_")}
    assert methods - BY_OTHERS == GRAMMAR.keys()


@pytest.mark.parametrize("method", GRAMMAR)
def test_a_hundred_questions_have_one_answer_each(
    twins: tuple[Client, Client], method: str
) -> None:
    dice, reasons = Dice(method), Counter[str]()
    own = OWN | {"name"} if "snapshot" in method else OWN  # which hold the second they were taken
    for _ in range(QUESTIONS):
        question = GRAMMAR[method](dice)
        rest, rpc = (answer_of(client, *question) for client in twins)
        assert lasting(comparable(rest), own) == lasting(comparable(rpc), own), (
            question,
            *(answer for answer in (rest, rpc) if isinstance(answer, KindredError)),
        )
        reasons[rest.reason if isinstance(rest, KindredError) else "answered"] += 1
    if question[1]:  # what takes nothing can't be asked wrongly
        right = 0 if method in ONLY_WRONG else 1
        assert right <= reasons["answered"] <= QUESTIONS - 5, reasons
        assert "INTERNAL" not in reasons
