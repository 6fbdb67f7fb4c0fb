"""Questions of every method, made by dice from a few contents, parameters and mistakes."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np

from kindred import (
    Audio,
    BridgeParams,
    Image,
    IngestFolder,
    IngestManifest,
    Item,
    ItemInput,
    Part,
    Reembed,
    Text,
    Vector,
)
from tests.fakes import DIM
from tests.samples import audio_bytes, image_bytes, photo, picture, tone

Question = tuple[str, Sequence[Any], dict[str, Any]]
"""A method of a client, its arguments and its options."""

_RED = Image(image_bytes(picture("red")))
_LOUD = Audio(audio_bytes(tone(loudness=0.9, seconds=0.2)))
_VALUES = np.random.default_rng(0).standard_normal(DIM)

GOOD = (
    *("red", "some words", "ünïcode, \U0001f98a and \x7f", Text("a text " * 80), " red ", "a\x00b"),
    *(_RED, Image(image_bytes(photo(1), "JPEG")), _LOUD, Vector(_VALUES, "image"), Item("red")),
)
BAD = (
    *("", " \n", Image(b""), Image(b"no picture"), Audio(b"no sound"), Audio(_RED.data)),
    *(Image(_LOUD.data), Image(_RED.data[:60]), Item("nobody"), Item(""), Vector([], "image")),
    *(Vector(np.zeros(DIM), "text"), Vector([1.0, 2.0], "audio")),
    Vector(_VALUES, "image", space="elsewhere"),
)
NAMES = ("album", "album", "album", "shelf", "fresh", "other-1", "nobody")
ALIASES = ("shelf", "shelf", "now", "now", "then")
WRONG_NAMES = ("Not a name!", "..", "a/b", "%2F", "ü", "x" * 200, "-", "a\x00b", "a:b", " ")
NAMED = ("red", "red", "words", "loud", "a/b c", "nobody", "..", "%2F", "ü", "x" * 600, "red ")
"""Ids, and what is none; over REST there is no path of an item without a name."""
IDS = (*NAMED, "")
FIELDS = ("year", "deep.list", "share", "nothing", "id", "modality", "created", "a..b", "$x", "")
OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$near", "")
METADATA: Sequence[Any] = (
    *(2020, 2021.5, 0, -1, 2**53, True, None, "x", "", "red", [], [1, "x", None], {"a": {}}),
    *(1e308, "ü" * 50, [[1]], {"": 1}, "'; DROP TABLE item; --"),
)
COUNTS = (1, 1, 2, 3, 10, 0, -1, 1001, 2**31 - 1)
REALS = (0.0, 0.3, 1.0, -1.0, 2.5, 1e30)
PRIORITIES = ("interactive", "bulk", "bulk", None, None, None, "soon")
SEEDS = (0, 1, 7, 2**32, 2**63 - 1, -1)


class Dice(Random):
    """Throws for whole parts of a question."""

    def content(self) -> Any:  # noqa: ANN401 - whatever a client takes
        """Returns something to embed, a bad one in five times."""
        return self.choice(GOOD if self.random() < 0.8 else BAD)

    def contents(self, most: int = 4) -> Any:  # noqa: ANN401
        """Returns one content, or a few, or none."""
        if self.random() < 0.3:
            return self.content()
        return [self.content() for _ in range(self.randrange(most) if self.random() < 0.9 else 0)]

    def parts(self) -> Any:  # noqa: ANN401
        """Returns parts of a mix, some with weights."""
        made = [self.content() for _ in range(self.choice((1, 1, 2, 3, 0)))]
        return [Part(c, self.choice(REALS)) if self.random() < 0.3 else c for c in made]

    def name(self) -> str:
        """Returns the name of a collection that is there, is not, or can't be."""
        return self.choice(NAMES if self.random() < 0.75 else WRONG_NAMES)

    def value(self) -> Any:  # noqa: ANN401
        """Returns a value of metadata."""
        return self.choice(METADATA)

    def filter(self, depth: int = 0) -> dict[str, Any]:
        """Returns a filter, right or wrong."""
        match self.randrange(6 if depth < 3 else 3):
            case 0:
                return {self.choice(FIELDS): self.value()}
            case 1 | 2:
                operand = [self.value() for _ in range(2)] if self.random() < 0.4 else self.value()
                return {self.choice(FIELDS[:7]): {self.choice(OPERATORS): operand}}
            case 3:
                return {"$not": self.filter(depth + 1)}
            case _:
                joined = self.choice(("$and", "$or", "$or", "$nor"))
                return {joined: [self.filter(depth + 1) for _ in range(self.randrange(3))]}

    def item(self) -> ItemInput:
        """Returns an item to store."""
        metadata = {self.choice(FIELDS): self.value() for _ in range(self.randrange(3))}
        return ItemInput(self.content(), self.choice((*IDS, None, None)), metadata)

    def maybe(self, **pools: Sequence[Any]) -> dict[str, Any]:
        """Returns some options, each with a value of its pool."""
        return {name: self.choice(pool) for name, pool in pools.items() if self.random() < 0.4}


def _embed(dice: Dice) -> Question:
    options = dice.maybe(
        model=("fake", "fake", "nobody", "", "a/b"),
        dimensions=(1, 20, DIM, 0, DIM + 1, -1),
        on_error=("item", "item", "item", "request", "ignore"),
        windows=(True, False),
        priority=PRIORITIES,
    )
    return "embed", [dice.contents()], options


def _search(dice: Dice) -> Question:
    options = dice.maybe(
        k=COUNTS,
        modalities=(["image"], ["text", "audio"], [], ["smell"], ["image", "image"]),
        k_per_modality=COUNTS,
        min_score=REALS,
        ranking=("cosine", "calibrated", "best", ""),
        with_vectors=(True, False),
        exact=(True, False),
        priority=PRIORITIES,
    )
    if dice.random() < 0.4:
        options["filter"] = dice.filter()
    return "search", [dice.choice((*NAMES[:3], dice.name())), dice.parts()], options


def _item_page(dice: Dice) -> Question:
    options = dice.maybe(
        page_size=COUNTS, page_token=("", "", "nonsense", "1"), with_vectors=(True, False)
    )
    if dice.random() < 0.4:
        options["filter"] = dice.filter()
    return "item_page", [dice.choice(("album", dice.name()))], options


def _bridge(dice: Dice) -> dict[str, Any]:
    numbers = dice.maybe(
        strength=(0.0, 0.5, 1.0, 2.0, -1.0),
        k=(1, 2, 0),
        temperature=(5.0, 0.0, -1.0),
        steps=(1, 4, 0),
        guidance=(1.0, -1.0),
        candidates=(1, 2, 0),
    )
    return {"bridge_params": BridgeParams(**numbers)} if numbers and dice.random() < 0.5 else {}


_MIXES: Mapping[str, Sequence[Any]] = {
    "bridge": ("auto", "none", "none", "knn", "prior", "stairs"),
    "collection": ("album", "album", "nobody", "Not a name!"),
}


def _condition(dice: Dice, method: str = "condition") -> Question:
    options = dice.maybe(
        mix=("mean", "slerp", "stack", "blend"),
        num_vectors=(1, 3, 0, 1000),
        cfg=(True, False),
        noise_level=(0, 5),
        dtype=("f32", "f16", "bf16", "f8"),
        model=("fake", "fake", "nobody"),
        **_MIXES,
    )
    profile = dice.choice(("kindred-raw",) * 6 + ("sd21-unclip-h", "sd99", "a/b"))
    options |= {"seed": dice.choice(SEEDS), **_bridge(dice)}
    if dice.random() < 0.2:
        options["negative_inputs"] = dice.parts()
    return method, [dice.parts(), profile], options


def _condition_file(dice: Dice) -> Question:
    method, args, options = _condition(dice, "condition_file")
    return method, args, options | dice.maybe(format=("npz", "safetensors", "pickle"))


def _generate(dice: Dice) -> Question:
    options = dice.maybe(count=(1, 2, 0, 17), guidance=REALS, noise=(0.0, 0.2, 1.5, -1.0), **_MIXES)
    steps = dice.choice((1, 2, 0, 1000))
    return "generate", [dice.parts()], options | {"seed": dice.choice(SEEDS), "steps": steps}


def _create(dice: Dice) -> Question:
    options = dice.maybe(
        model=("fake", "nobody", ""),
        indexed=(["year"], ["year", "year"], ["created"], ["a..b"], [""], ["deep.list", "x"]),
        recall_target=(0.9, 1.0, 0.0, 1.5, -1.0),
    )
    return "create_collection", [dice.name()], options


def _set_alias(dice: Dice) -> Question:
    names, expected = (*ALIASES, dice.name()), (*NAMES, "nobody")
    options = dice.maybe(expected=expected)
    return "set_alias", [dice.choice(names), dice.choice((*ALIASES, *NAMES, dice.name()))], options


def _update(dice: Dice) -> Question:
    fields = [dice.choice(FIELDS) for _ in range(dice.randrange(3))]
    return "update_collection", [dice.name()], {"indexed": fields}


def _upsert(dice: Dice) -> Question:
    items = [dice.item() for _ in range(dice.randrange(4))]
    options = dice.maybe(windows=(True, False), priority=PRIORITIES)
    return "upsert", [dice.choice(("album", dice.name())), items], options


FILES = ("album.snapshot", "album.snapshot", "words", "nobody", *WRONG_NAMES, ".keys.json")


def _upload(dice: Dice) -> Question:
    pieces = [b"no", b" snapshot", b""][: dice.randrange(4)]
    return "upload_snapshot", [pieces], dice.maybe(name=FILES)


def _restore(dice: Dice) -> Question:
    names = ("fresh", "other-1", "fresh", "album", *WRONG_NAMES)
    return "restore_snapshot", [dice.choice(FILES)], dice.maybe(collection=names)


def _create_job(dice: Dice) -> Question:
    """Asks for work that is refused; how work gets on is `test_jobs`."""
    path = dice.choice(("/etc", "../..", "", "relative", "/no/such/folder", "a\x00b"))
    alias = dice.choice(("album", "", *WRONG_NAMES))
    tasks = (
        IngestFolder(path),
        IngestManifest(path),
        Reembed(dice.choice(("nobody", "a/b"))),
        Reembed("album", alias=alias, allow_failed=True),
        Reembed("album", drop_source=True),
    )
    return "create_job", [dice.name(), dice.choice(tasks)], {}


JOBS = ("nobody", "0" * 16, "0" * 32, *WRONG_NAMES)


def _nothing(method: str) -> Callable[[Dice], Question]:
    return lambda dice: (method, [], {})


def _named(method: str, pool: Sequence[str]) -> Callable[[Dice], Question]:
    return lambda dice: (method, [dice.choice(pool)], {})


GRAMMAR: Mapping[str, Callable[[Dice], Question]] = {
    **{name: _nothing(name) for name in ("health", "models", "profiles")},
    **{name: _nothing(name) for name in ("list_collections", "list_snapshots")},
    "get_model": _named("get_model", ("fake", "fake", "nobody", *WRONG_NAMES)),
    "get_profile": _named("get_profile", ("kindred-raw", "sd21-unclip-h", "sd99", *WRONG_NAMES)),
    "embed": _embed,
    "rank": lambda dice: (
        "rank",
        [dice.content(), dice.contents()],
        dice.maybe(model=("fake", "nobody"), priority=PRIORITIES),
    ),
    "search": _search,
    "score_items": lambda dice: (
        "score_items",
        [dice.name(), dice.contents()],
        dice.maybe(priority=PRIORITIES),
    ),
    "item_page": _item_page,
    "get_item": lambda dice: (
        "get_item",
        [dice.choice(("album", dice.name())), dice.choice(NAMED)],
        dice.maybe(with_vector=(True, False)),
    ),
    "get_content": lambda dice: (
        "get_content",
        [dice.choice(("album", dice.name())), dice.choice(NAMED)],
        {},
    ),
    "condition": _condition,
    "condition_file": _condition_file,
    "generate": _generate,
    "get_collection": lambda dice: (
        "get_collection",
        [dice.name()],
        dice.maybe(with_stats=(True, False)),
    ),
    "create_collection": _create,
    "update_collection": _update,
    "upsert": _upsert,
    "delete_items": lambda dice: (
        "delete_items",
        [dice.choice(("album", dice.name())), [dice.choice(IDS) for _ in range(dice.randrange(4))]],
        {},
    ),
    "set_alias": _set_alias,
    "list_aliases": _nothing("list_aliases"),
    "delete_alias": lambda dice: ("delete_alias", [dice.choice((*ALIASES, dice.name()))], {}),
    "delete_collection": lambda dice: ("delete_collection", [dice.name()], {}),
    "take_snapshot": lambda dice: ("take_snapshot", [dice.name()], {}),
    "restore_snapshot": _restore,
    "upload_snapshot": _upload,
    "snapshot_pieces": _named("snapshot_pieces", FILES),
    "delete_snapshot": _named("delete_snapshot", FILES),
    "create_job": _create_job,
    "list_jobs": _nothing("list_jobs"),
    **{name: _named(name, JOBS) for name in ("get_job", "cancel_job", "watch_job")},
    "job_error_page": lambda dice: (
        "job_error_page",
        [dice.choice(JOBS)],
        dice.maybe(page_size=COUNTS, page_token=("", "nonsense", "1")),
    ),
    "rename_collection": lambda dice: (
        "rename_collection",
        [dice.name(), dice.choice((dice.name(), f"other-{dice.randrange(100)}"))],
        {},
    ),
}
"""By method: what makes a question of it."""
