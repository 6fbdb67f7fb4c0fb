"""The same questions, good and bad, over every client and wire: equal answers, equal errors."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from indexes import stats
from indexes.local.collection import LocalCollection
from kindred import (
    Audio,
    BridgeParams,
    Image,
    IngestFolder,
    IngestManifest,
    Item,
    ItemInput,
    KindredError,
    Modality,
    Part,
    Reembed,
    SegmentStats,
    Text,
    Vector,
)
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import content_pb2
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from service.serve import Addresses
from tests.fakes import DIM
from tests.kindred.wires import Ask, asks, comparable
from tests.samples import audio_bytes, colours, film_bytes, image_bytes, photo, picture, tone
from tests.service.poison import POISON

RED = Image(image_bytes(picture("red")))
LOUD = Audio(audio_bytes(tone(loudness=0.9)))
LONG = Audio(audio_bytes(tone(seconds=7, sample_rate=8_000)))
FILM = film_bytes(colours("red", *["blue"] * 6, rate=2), rate=2, sound=tone(seconds=7))
VECTOR = Vector(np.random.default_rng(0).standard_normal(DIM), Modality.IMAGE)
BROKEN = Image(b"no picture")

ITEMS = [
    ItemInput("red", "a/text with spaces, ünïcode & slash", {"year": 2020, "share": 0.1}),
    ItemInput(RED, "red", {"year": 2021, "deep": {"list": [1, None, True, "x", -2.5]}}),
    ItemInput(BROKEN, "broken"),
    ItemInput(Image(image_bytes(photo(1), "JPEG")), "photo"),
    ItemInput(LOUD, "loud", {"year": 2022}),
    ItemInput(Audio(audio_bytes(tone(loudness=0.1, sample_rate=44_100))), None),
    ItemInput(VECTOR, "vector", {"big": 2**53, "empty": {}, "none": None}),
    ItemInput(Item("red"), "copy"),
    ItemInput("  ", "blank"),
    ItemInput("no name", ""),
    ItemInput("a long name", "x" * 10_000),
]

FILMS = [
    ItemInput(Image(FILM), "seen"),
    ItemInput(Audio(FILM), "heard"),
    ItemInput(LONG, "long"),
    ItemInput("red", "words"),
]

Question = tuple[str, Sequence[Any], dict[str, Any]]


def ask_for(method: str, *args: object, **options: object) -> Question:
    return method, args, options


def refused(reason: str, method: str, *args: object, **options: object) -> tuple[str, Question]:
    return reason, (method, args, options)


ANSWERED = [
    ask_for("health"),
    ask_for("models"),
    ask_for("get_model", "fake"),
    ask_for("embed", "red"),
    ask_for("embed", ["red", RED, LOUD, VECTOR, Text("some words " * 50)]),
    ask_for("embed", [f"words number {n}" for n in range(40)]),
    ask_for("embed", "some words", dimensions=20),
    ask_for("embed", ["red", BROKEN, "", Item("red"), "blue"], on_error="item"),
    ask_for("embed", Vector(np.zeros(DIM), "image"), on_error="item"),
    ask_for("embed", ["red", RED, LONG, Image(FILM), Audio(FILM), VECTOR], windows=True),
    ask_for("embed", [LONG, BROKEN], windows=True, dimensions=20, on_error="item"),
    ask_for("search", "windowed", "red", with_vectors=True),
    ask_for("get_content", "windowed", "seen"),
    ask_for("rank", RED, ["red", "green", LOUD]),
    ask_for("rank", RED, "red"),
    ask_for("rank", RED, "red", priority="bulk"),
    ask_for("generate", RED, seed=3, steps=1, priority="bulk"),
    ask_for("list_collections"),
    ask_for("get_collection", "album"),
    ask_for("get_collection", "album", with_stats=True),
    ask_for("get_collection", "indexed", with_stats=True),
    ask_for("list_items", "album"),
    ask_for("list_items", "album", with_vectors=True, filter={"year": {"$gte": 2021}}),
    ask_for("item_page", "album", page_size=2, with_vectors=True),
    ask_for("get_item", "album", ITEMS[0].id),
    ask_for("get_item", "album", "vector", with_vector=True),
    ask_for("get_content", "album", "red"),
    ask_for("get_content", "album", ITEMS[0].id),
    ask_for("get_content", "album", "loud"),
    ask_for("search", "album", "red"),
    ask_for("search", "album", RED, with_vectors=True),
    ask_for("search", "album", [Part(RED), Part("green", 0.6), Part(LOUD, -0.3)]),
    ask_for("search", "album", Item("red"), k=3),
    ask_for("search", "album", VECTOR, k=1),
    ask_for("search", "album", "red", modalities=["image", Modality.AUDIO], k_per_modality=1),
    ask_for("search", "album", "red", filter={"deep.list": {"$exists": True}}),
    ask_for("search", "album", "red", filter={"year": {"$in": [2020, 2022]}}),
    ask_for("search", "album", "red", filter={"modality": {"$ne": "text"}}),
    ask_for("search", "album", "red", min_score=0.3),
    ask_for("search", "album", "red", ranking="calibrated"),
    ask_for("search", "album", "red", ranking="cosine"),
    ask_for("search", "album", "red", exact=True),
    ask_for("profiles"),
    ask_for("get_profile", "kindred-raw"),
    ask_for("get_profile", "sd21-unclip-h"),
    ask_for("condition", "red", seed=1),
    ask_for("condition", [Part("red", 0.5), Part(LOUD), Part(RED, -0.3)], seed=2, dtype="f16"),
    ask_for("condition", ["red", RED], mix="slerp", num_vectors=3, cfg=False, seed=3),
    ask_for("condition", [Item("red"), VECTOR], collection="album", seed=4, dtype="bf16"),
    ask_for("condition", RED, negative_inputs="green", model="fake", bridge="none", seed=5),
    ask_for(
        "condition",
        [LOUD, "red"],
        collection="album",
        bridge="knn",
        bridge_params=BridgeParams(strength=0.5, k=2, temperature=5.0),
        seed=6,
    ),
    ask_for("condition_file", "red", seed=7),
    ask_for("condition_file", "red", seed=7, format="npz", dtype="f16"),
    ask_for("generate", [RED, Part("green", 0.3)], seed=1, steps=2),
    ask_for("generate", Item("red"), collection="album", seed=2, count=3, steps=1, noise=0.2),
    ask_for("score_items", "album", ["red", RED, BROKEN]),
    ask_for("list_aliases"),
    ask_for("set_alias", "shelf", "album"),
    ask_for("set_alias", "shelf", "shelf", expected="empty"),
    ask_for("get_collection", "shelf"),
    ask_for("search", "shelf", [Item("red"), "green"], k=3),
    ask_for("item_page", "shelf", page_size=2),
    ask_for("get_item", "shelf", "red"),
    ask_for("get_content", "shelf", "red"),
    ask_for("score_items", "shelf", ["red"]),
    ask_for("condition", Item("red"), collection="shelf", seed=8),
    ask_for("list_jobs"),
    ask_for("list_snapshots"),
    ask_for("snapshot_pieces", "album.snapshot"),
]

REFUSED = [
    refused("MODEL_NOT_FOUND", "get_model", "no/body"),
    refused("INVALID_ARGUMENT", "embed", "some words", dimensions=0),
    refused("INVALID_ARGUMENT", "embed", "some words", dimensions=DIM + 1),
    refused("MODEL_NOT_FOUND", "embed", "some words", model="nobody"),
    refused("MODEL_NOT_FOUND", "embed", "some words", model=""),
    refused("MODEL_NOT_FOUND", "embed", "some words", model="ü" * 20_000),
    refused("INVALID_ARGUMENT", "embed", []),
    refused("TOO_MANY_ITEMS", "embed", ["x"] * 257),
    refused("INVALID_MEDIA", "embed", ""),
    refused("UNDECODABLE_MEDIA", "embed", ["red", BROKEN, "blue", BROKEN]),
    refused("INVALID_ARGUMENT", "embed", "red", on_error="ignore"),
    refused("INVALID_ARGUMENT", "embed", "red", priority="soon"),
    refused("INVALID_ARGUMENT", "condition_file", "red", seed=1, priority=""),
    refused("INVALID_VECTOR", "embed", Vector([1.0, 2.0], "image")),
    refused("INVALID_ARGUMENT", "rank", RED, []),
    refused("UNDECODABLE_MEDIA", "rank", BROKEN, ["red"]),
    refused("UNDECODABLE_MEDIA", "rank", RED, ["red", BROKEN]),
    refused("COLLECTION_NOT_FOUND", "get_collection", "nobody"),
    refused("COLLECTION_EXISTS", "create_collection", "album"),
    refused("INVALID_ARGUMENT", "create_collection", "Not a name!"),
    refused("MODEL_NOT_FOUND", "create_collection", "other", model="nobody"),
    refused("INVALID_ARGUMENT", "create_collection", "other", indexed=["created"]),
    refused("INVALID_FILTER", "create_collection", "other", indexed=["a..b"]),
    refused("INVALID_ARGUMENT", "create_collection", "other", recall_target=1.5),
    refused("INVALID_ARGUMENT", "create_collection", "other", recall_target=0.0),
    refused("INVALID_ARGUMENT", "create_collection", "other", structure="tree"),
    refused("COLLECTION_NOT_FOUND", "update_collection", "nobody", indexed=["year"]),
    refused("INVALID_ARGUMENT", "update_collection", "album", indexed=["year", "created"]),
    refused("INVALID_ARGUMENT", "update_collection", "album", indexed=["year", "year"]),
    refused("INVALID_FILTER", "update_collection", "album", indexed=["a..b"]),
    refused("COLLECTION_NOT_FOUND", "delete_collection", "nobody"),
    refused("INVALID_ARGUMENT", "item_page", "album", page_size=0),
    refused("INVALID_ARGUMENT", "item_page", "album", page_size=-1),
    refused("INVALID_ARGUMENT", "item_page", "album", page_token="nonsense"),
    refused("INVALID_FILTER", "item_page", "album", filter={"year": {"$near": 1}}),
    refused("COLLECTION_NOT_FOUND", "item_page", "nobody"),
    refused("ITEM_NOT_FOUND", "get_item", "album", "nobody"),
    refused("ITEM_NOT_FOUND", "get_item", "album", ".."),
    refused("ITEM_NOT_FOUND", "get_item", "album", "%2F"),
    refused("ITEM_NOT_FOUND", "get_content", "album", "vector"),
    refused("ITEM_NOT_FOUND", "get_content", "album", "nobody"),
    refused("COLLECTION_NOT_FOUND", "upsert", "nobody", [ItemInput("red")]),
    refused("INVALID_ARGUMENT", "upsert", "album", []),
    refused("COLLECTION_NOT_FOUND", "delete_items", "nobody", ["red"]),
    refused("INVALID_ARGUMENT", "search", "album", "red", modalities=["smell"]),
    refused("INVALID_FILTER", "search", "album", "red", filter={"$nonsense": 1}),
    refused("INVALID_FILTER", "search", "album", "red", filter={"year": {"$gte": "x", "$in": 3}}),
    refused("INVALID_VECTOR", "embed", Vector([0.0] * 9 + [1.0] * (DIM - 9), "text"), dimensions=9),
    refused("INVALID_ARGUMENT", "search", "album", "red", min_score=float("nan")),
    refused("INVALID_ARGUMENT", "search", "album", [Part("red", float("nan"))]),
    refused("INVALID_ARGUMENT", "search", "album", [Part("red", float("inf"))]),
    refused("INVALID_ARGUMENT", "create_collection", "other", recall_target=float("nan")),
    refused("INVALID_ARGUMENT", "condition", [Part("red", float("nan"))], seed=1),
    refused("INVALID_ARGUMENT", "search", "album", "red", ranking="best"),
    refused("INVALID_ARGUMENT", "search", "album", "red", k=0),
    refused("TOO_MANY_ITEMS", "search", "album", "red", k=100_000),
    refused("INVALID_ARGUMENT", "search", "album", "red", k_per_modality=0),
    refused("INVALID_ARGUMENT", "search", "album", []),
    refused("CANCELLED_OUT", "search", "album", [Part("red"), Part("red", -1.0)]),
    refused("ITEM_NOT_FOUND", "search", "album", Item("nobody")),
    refused("UNDECODABLE_MEDIA", "search", "album", BROKEN),
    refused("INVALID_ARGUMENT", "search", "album", "red", filter={"x": float("nan")}),
    refused("COLLECTION_NOT_FOUND", "search", "nobody", "red"),
    refused("COLLECTION_NOT_FOUND", "score_items", "nobody", "red"),
    refused("INVALID_ARGUMENT", "score_items", "album", []),
    refused("TOO_MANY_ITEMS", "generate", "red", count=17),
    refused("UNFIT_FOR_TARGET", "generate", "red", steps=0),
    refused("INVALID_ARGUMENT", "generate", []),
    refused("PROFILE_NOT_FOUND", "get_profile", "sd99"),
    refused("PROFILE_NOT_FOUND", "condition", "red", "sd99"),
    refused("ADAPTER_NOT_FITTED", "condition", "red", "sd21-unclip-h"),
    refused("INVALID_ARGUMENT", "condition", []),
    refused("UNDECODABLE_MEDIA", "condition", ["red", BROKEN]),
    refused("CANCELLED_OUT", "condition", [Part(RED, 1.0), Part(RED, -1.0)]),
    refused("INVALID_ARGUMENT", "condition", "red", bridge="knn"),
    refused("BRIDGE_NOT_FITTED", "condition", "red", bridge="prior"),
    refused("INVALID_ARGUMENT", "condition", "red", bridge_params=BridgeParams(strength=2.0)),
    refused("INVALID_ARGUMENT", "condition", "red", bridge_params=BridgeParams(steps=0)),
    refused("INVALID_ARGUMENT", "condition", "red", num_vectors=0),
    refused("INVALID_ARGUMENT", "condition", "red", seed=-1),
    refused("INVALID_ARGUMENT", "condition", Item("red")),
    refused("COLLECTION_NOT_FOUND", "condition", Item("red"), collection="nobody"),
    refused("MODEL_NOT_FOUND", "condition", "red", model="nobody"),
    refused("UNFIT_FOR_TARGET", "condition", "red", noise_level=5),
    refused("UNFIT_FOR_TARGET", "condition_file", "red", format="npz", dtype="bf16"),
    refused("COLLECTION_ALIASED", "delete_collection", "album"),
    refused("COLLECTION_NOT_FOUND", "delete_collection", "shelf"),
    refused("COLLECTION_EXISTS", "create_collection", "shelf"),
    refused("COLLECTION_EXISTS", "set_alias", "empty", "album"),
    refused("COLLECTION_EXISTS", "rename_collection", "album", "empty"),
    refused("COLLECTION_EXISTS", "rename_collection", "album", "shelf"),
    refused("COLLECTION_NOT_FOUND", "rename_collection", "shelf", "other"),
    refused("INVALID_ARGUMENT", "rename_collection", "album", "Not a name!"),
    refused("COLLECTION_NOT_FOUND", "set_alias", "other", "nobody"),
    refused("INVALID_ARGUMENT", "set_alias", "Not a name!", "album"),
    refused("INVALID_ARGUMENT", "set_alias", "other", "Not a name!"),
    refused("ALIAS_MOVED", "set_alias", "shelf", "empty", expected="windowed"),
    refused("ALIAS_NOT_FOUND", "delete_alias", "nobody"),
    refused("ALIAS_NOT_FOUND", "delete_alias", "album"),
    refused("INVALID_ARGUMENT", "delete_alias", "../album"),
    refused("ALIAS_MOVED", "create_job", "other", Reembed("empty", alias="shelf")),
    refused("COLLECTION_EXISTS", "create_job", "other", Reembed("album", alias="empty")),
    refused("INVALID_ARGUMENT", "create_job", "other", Reembed("album", alias="Not a name!")),
    refused("INVALID_ARGUMENT", "create_job", "other", Reembed("album", drop_source=True)),
    refused("PERMISSION_DENIED", "create_job", "album", IngestFolder("/")),
    refused("PERMISSION_DENIED", "create_job", "album", IngestManifest("list.jsonl")),
    refused("COLLECTION_NOT_FOUND", "create_job", "other", Reembed("nobody")),
    refused("COLLECTION_EXISTS", "create_job", "empty", Reembed("album")),
    refused("MODEL_NOT_FOUND", "create_job", "other", Reembed("album", "nobody")),
    refused("JOB_NOT_FOUND", "get_job", "nobody"),
    refused("JOB_NOT_FOUND", "cancel_job", ".."),
    refused("JOB_NOT_FOUND", "watch_job", "../album"),
    refused("JOB_NOT_FOUND", "list_job_errors", "nobody"),
    refused("COLLECTION_NOT_FOUND", "take_snapshot", "nobody"),
    refused("SNAPSHOT_NOT_FOUND", "restore_snapshot", "nobody"),
    refused("INVALID_ARGUMENT", "restore_snapshot", "../album", collection="stolen"),
    refused("COLLECTION_EXISTS", "restore_snapshot", "album.snapshot"),
    refused("INVALID_ARGUMENT", "restore_snapshot", "album.snapshot", collection="Not a name!"),
    refused("SNAPSHOT_NOT_FOUND", "snapshot_pieces", "nobody"),
    refused("INVALID_ARGUMENT", "snapshot_pieces", ".."),
    refused("SNAPSHOT_NOT_FOUND", "delete_snapshot", "nobody"),
    refused("INVALID_ARGUMENT", "delete_snapshot", "../album/collection.sqlite3"),
    refused("INVALID_SNAPSHOT", "upload_snapshot", [b"no", b" snapshot"], name="words"),
    refused("INVALID_SNAPSHOT", "upload_snapshot", [], name="nothing"),
    refused("INVALID_ARGUMENT", "upload_snapshot", [b"no snapshot"]),
    refused("INVALID_ARGUMENT", "upload_snapshot", [b"no snapshot"], name="a/b"),
    refused("PAYLOAD_TOO_LARGE", "embed", "x" * 1_100_000),
    refused("INVALID_ARGUMENT", "upsert", "album", [ItemInput("red", metadata={"x": {1, 2}})]),
]


@pytest.fixture(scope="module")
def clients(addresses: Addresses) -> dict[str, Ask]:
    """Returns every client over every wire, beside an album of items."""
    found = asks(addresses)
    for name in ("album", "empty"):
        found["Client, gRPC"]("create_collection", name)
    found["Client, gRPC"]("upsert", "album", ITEMS)
    found["Client, gRPC"]("create_collection", "windowed")
    found["Client, REST"]("upsert", "windowed", FILMS, windows=True)
    found["Client, gRPC"](
        "create_collection",
        "indexed",
        indexed=["year", "deep.list"],
        recall_target=0.9,
        structure="graph",
    )
    taken = found["Client, gRPC"]("take_snapshot", "album")
    data = found["Client, REST"]("snapshot_pieces", taken.name)
    found["Client, gRPC"]("upload_snapshot", [data], name="album.snapshot")
    found["Client, REST"]("set_alias", "shelf", "album")
    return found


def label(question: Question) -> str:
    method, args, options = question
    return f"{method}{args}{options or ''}"[:90]


def the_one_answer(clients: dict[str, Ask], question: Question) -> Any:  # noqa: ANN401
    """Returns what the first client is answered, once every other is answered the same."""
    method, args, options = question
    answers = {name: ask(method, *args, **options) for name, ask in clients.items()}
    first = next(iter(answers.values()))
    for name, answer in answers.items():
        assert comparable(answer) == comparable(first), f"{name} differs"
    return first


NAMELESS = [
    ask_for("get_model", ""),
    ask_for("get_collection", ""),
    ask_for("delete_collection", ""),
    ask_for("set_alias", "", "album"),
    ask_for("delete_alias", ""),
    ask_for("get_item", "album", ""),
    ask_for("get_content", "album", ""),
    ask_for("get_profile", ""),
    ask_for("take_snapshot", ""),
    ask_for("snapshot_pieces", ""),
    ask_for("delete_snapshot", ""),
    ask_for("upsert", "", [ItemInput("red")]),
]


@pytest.mark.parametrize("question", NAMELESS, ids=label)
def test_over_rest_what_has_no_name_is_not_something_else(
    clients: dict[str, Ask], question: Question
) -> None:
    """Its path would be the path of all of them: nobody asks for that by mistake."""
    method, args, options = question
    for name, ask in clients.items():
        error = ask(method, *args, **options)
        assert isinstance(error, KindredError)
        assert error.code in (400, 404)
        assert "REST" not in name or error.reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize("question", ANSWERED, ids=label)
def test_a_question_has_one_answer(clients: dict[str, Ask], question: Question) -> None:
    assert not isinstance(the_one_answer(clients, question), KindredError)


@pytest.mark.parametrize(
    ("reason", "question"), REFUSED, ids=[label(question) for _, question in REFUSED]
)
def test_a_bad_question_has_one_error(
    clients: dict[str, Ask], reason: str, question: Question
) -> None:
    error = the_one_answer(clients, question)
    assert isinstance(error, KindredError)
    assert error.reason == reason


@pytest.mark.parametrize(
    "question",
    [
        ask_for("upsert", "shelf", ITEMS[1:3]),
        ask_for("item_page", "shelf", page_size=1),
        ask_for("delete_items", "shelf", ["nobody"]),
        ask_for("search", "shelf", "red"),
        ask_for("score_items", "shelf", ["red"]),
    ],
    ids=label,
)
def test_what_is_asked_of_an_alias_names_its_collection(
    clients: dict[str, Ask], question: Question
) -> None:
    assert the_one_answer(clients, question).collection == "album"


def test_all_that_is_known_of_indexes_is_told(
    clients: dict[str, Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = (
        stats.SegmentStats("ivf", 100_000, 7, 1_600_000, 2_000_000_000, 12.5),
        stats.SegmentStats("head", 4_000),
    )
    known = stats.Stats(
        segments={"image": segments, "text": ()},
        recall=(
            stats.RecallStats("text", "image", 0.97, 0.9825, 120, "nprobe 24"),
            stats.RecallStats("image", "image", 0.97, None, 0, "nprobe 8"),
        ),
        building=("image",),
        damaged=("a/b", "ünïcode"),
    )
    monkeypatch.setattr(LocalCollection, "stats", lambda _: known)
    found = the_one_answer(clients, ask_for("get_collection", "album", with_stats=True)).stats
    assert found.segments["image"][0] == SegmentStats(**asdict(segments[0]))
    assert found.segments["image"][1].rows == 4_000
    assert found.segments["text"] == ()
    assert [asdict(each) for each in found.recall] == [asdict(each) for each in known.recall]
    assert (found.building, found.damaged) == (("image",), ("a/b", "ünïcode"))
    assert the_one_answer(clients, ask_for("get_collection", "album")).stats is None


def test_writing_answers_alike(clients: dict[str, Ask]) -> None:
    answers = []
    for number, ask in enumerate(clients.values()):
        name = f"album-{number}"
        script = [
            ask("create_collection", name),
            ask("upsert", name, ITEMS),
            ask("upsert", name, FILMS, windows=True),
            ask("delete_items", name, ["red", "nobody"]),
            ask("delete_items", name, [""]),
            ask("update_collection", name, indexed=["year", "deep.list"]),
            ask("search", name, "red", filter={"year": 2020}),
            ask("search", name, "red", with_vectors=True),
            ask("get_collection", name),
            ask("list_items", name),
            ask("rename_collection", name, f"{name}-old"),
            ask("search", name, "red"),
            ask("list_aliases"),
            ask("delete_alias", name),
            ask("delete_collection", f"{name}-old"),
            ask("get_collection", name),
        ]
        own = ["name", "collection", "created", "bytes", "message"]  # which name the collection
        answers.append(without(own, [comparable(each) for each in script]))
    assert answers[1:] == answers[:1] * 3


def test_a_collection_travels_alike(clients: dict[str, Ask], tmp_path: Path) -> None:
    answers = []
    for number, ask in enumerate(clients.values()):
        file, name = tmp_path / f"{number}.snapshot", f"restored-{number}"
        taken = ask("take_snapshot", "album")
        script = [
            taken,
            ask("download_snapshot", taken.name, file),
            ask("upload_snapshot", file),
            ask("upload_snapshot", str(file)),
            ask("restore_snapshot", file.name, collection=name),
            ask("get_collection", name, with_stats=True),
            ask("list_items", name, with_vectors=True),
            ask("search", name, "red", with_vectors=True),
            ask("delete_snapshot", taken.name),
            ask("delete_snapshot", taken.name),
        ]
        assert ask("download_snapshot", file.name, tmp_path / f"{number}.again") is None
        assert (tmp_path / f"{number}.again").read_bytes() == file.read_bytes()
        assert ask("delete_snapshot", file.name) is None
        assert not isinstance(script[2], KindredError)
        assert script[3].reason == "SNAPSHOT_EXISTS"
        own = ["name", "collection", "created", "bytes"]  # which name what was made
        answers.append(without(own, [comparable(each) for each in script]))
    assert answers[1:] == answers[:1] * 3


def without(names: Sequence[str], answer: Any) -> Any:  # noqa: ANN401 - any answer
    if isinstance(answer, dict):
        return {key: without(names, value) for key, value in answer.items() if key not in names}
    return [without(names, each) for each in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize("name", POISON)
def test_poison_in_a_batch_costs_itself_alone(clients: dict[str, Ask], name: str) -> None:
    poison, expected = POISON[name]
    kind = Image if poison.modality == "image" else Audio
    contents: list[Any] = [f"words {n}" for n in range(32)]
    contents[16] = kind(poison.data)
    answers = [ask("embed", contents, on_error="item") for ask in clients.values()]
    for answer in answers:
        reasons = [result.error.reason if result.error else "ok" for result in answer.results]
        assert reasons == ["ok"] * 16 + [expected] + ["ok"] * 15
        assert comparable(answer) == comparable(answers[0])


def test_the_clients_say_what_the_wires_say(addresses: Addresses, clients: dict[str, Ask]) -> None:
    """Asks without any client: curl's JSON and a generated stub find what the clients found."""
    client = clients["Client, gRPC"]
    hits = client("search", "album", "red", with_vectors=True).hits
    vector = client("embed", "some words").vectors[0]
    part = collections_pb.QueryPart(content=content_pb2.Content(text="red"))
    with grpc.insecure_channel(addresses.grpc) as channel:
        found = collections_grpc.CollectionServiceStub(channel).SearchItems(
            collections_pb.SearchItemsRequest(collection="album", query=[part], with_vectors=True)
        )
        embedded = embeddings_grpc.EmbeddingServiceStub(channel).Embed(
            embeddings_pb.EmbedRequest(contents=[content_pb2.Content(text="some words")])
        )
    with httpx.Client(base_url=addresses.http) as http:
        question = {"query": "red", "include": ["metadata", "vector"]}
        answer = http.post("/v1/collections/album/items:search", json=question).json()
        plain = http.post("/v1/embeddings", json={"input": "some words"}).json()

    expected = [(hit.id, hit.score, hit.calibrated, hit.vector.tobytes()) for hit in hits]
    assert [
        (h.id, h.score, h.calibrated, np.array(h.vector.values, np.float32).tobytes())
        for h in found.hits
    ] == expected
    assert [
        (h["id"], h["score"], h["calibrated"], np.array(h["vector"], np.float32).tobytes())
        for h in answer["hits"]
    ] == expected
    packed = embedded.results[0].embedding.vector.values
    for values in (packed, plain["data"][0]["embedding"]):
        assert np.array(values, np.float32).tobytes() == vector.tobytes()
