"""Snapshots that somebody made: their checksums are right, and what they hold is not."""

import hashlib
import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np

from indexes.truth import checksums, snapshot, state
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

Change = Callable[[sqlite3.Connection], object]

FLIPPED = 150
"""Snapshots with bytes of their database changed at random."""

SEED = 7
MOST_SECONDS = 20.0
"""For everything that is asked of one."""


def attack(seconds: float) -> Outcome:
    """Sends each, restores it, and uses what came of it; `seconds` is not used."""
    outcome = Outcome()
    with victim() as server, httpx.Client(base_url=server.http, timeout=60) as http:
        true = http.get("/v1/snapshots/" + _first(http)).content
        for name, forged in _forgeries(true, server.folder):
            began = time.monotonic()
            _used(http, outcome, name, forged)
            took = time.monotonic() - began
            outcome.expect(took < MOST_SECONDS, f"{name} took {took:.0f} s")
        outcome.expect(not _ill(server), _ill(server))
    return outcome


def _first(http: httpx.Client) -> str:
    found: str = http.get("/v1/snapshots").json()["snapshots"][0]["name"]
    return found


def _ill(server: Victim) -> str:
    """What is damaged is logged with a traceback; anything else that is wrong is an illness."""
    told = server.illness()
    return "" if told == server.traceback() else told


def _forgeries(true: bytes, folder: Path) -> Iterator[tuple[str, bytes]]:
    size = _facts(true)["payload_bytes"]
    for name, change in CHANGES.items():
        yield name, _sealed(true, _changed(true[:size], change, folder / "forged"))
    dice = random.Random(SEED)
    for number in range(FLIPPED):
        database = bytearray(true[:size])
        for _ in range(dice.choice((1, 3, 30))):
            database[dice.randrange(100, size)] = dice.randrange(256)
        yield f"bytes changed, {number}", _sealed(true, bytes(database))
    yield "half a database", _sealed(true, true[: size // 2])
    yield "no database", _sealed(true, b"")
    yield "a flipped bit, not sealed again", true[:5000] + bytes([true[5000] ^ 1]) + true[5001:]
    yield "a tail", true[-1000:]


def _facts(true: bytes) -> dict[str, int]:
    length = int.from_bytes(true[-snapshot._END :][:8])
    found: dict[str, int] = json.loads(true[-snapshot._END - length : -snapshot._END])
    return found


def _sealed(true: bytes, database: bytes) -> bytes:
    """Returns a snapshot of another database, with checksums that are right."""
    told = json.dumps(_facts(true) | {"payload_bytes": len(database)}).encode()
    body = database + told + len(told).to_bytes(8)
    return body + hashlib.sha256(body).digest() + true[-16:]


def _changed(database: bytes, change: Change, path: Path) -> bytes:
    path.write_bytes(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        change(connection)
    return path.read_bytes()


def _sql(*statements: str) -> Change:
    return lambda connection: [connection.execute(each) for each in statements]


def _item(**columns: object) -> Change:
    """Returns what changes columns of every item, under checksums that are right."""

    def change(connection: sqlite3.Connection) -> None:
        for seq, *_ in connection.execute("SELECT seq FROM item").fetchall():
            for name, value in columns.items():
                connection.execute(
                    f"UPDATE OR IGNORE item SET {name} = ? WHERE seq = ?", (value, seq)
                )
        for seq, *told, _ in connection.execute("SELECT * FROM item").fetchall():
            crc = checksums.of_item(seq, *told)
            connection.execute("UPDATE item SET crc = ? WHERE seq = ?", (crc, seq))

    return change


def _vector(data: bytes | str, modality: str = "text") -> Change:
    def change(connection: sqlite3.Connection) -> None:
        for (seq,) in connection.execute("SELECT seq FROM vector").fetchall():
            raw = data.encode() if isinstance(data, str) else data
            crc = checksums.of_vector(seq, modality, raw)
            row = (data, modality, crc, seq)
            connection.execute("UPDATE vector SET data=?, modality=?, crc=? WHERE seq=?", row)

    return change


def _fact(name: str, value: str | int) -> Change:
    return lambda connection: state.put(connection, name, value)


def _halves(value: float, count: int = 384) -> bytes:
    return np.full(count, value, "<f2").tobytes()


CHANGES: Mapping[str, Change] = {
    "nothing": _sql(),
    "vectors of one number": _vector(_halves(1, 1)),
    "vectors of 10,000 numbers": _vector(_halves(0.01, 10_000)),
    "vectors of odd length": _vector(b"x" * 767),
    "empty vectors": _vector(b""),
    "vectors of nothing": _vector(_halves(0)),
    "vectors of no numbers": _vector(_halves(np.nan)),
    "vectors without end": _vector(_halves(np.inf)),
    "vectors as text": _vector("x" * 768),
    "vectors of no sense": _vector(_halves(0.05), "smell"),
    "no vectors": _sql("DELETE FROM vector"),
    "vectors of nobody": _sql("UPDATE vector SET seq = seq + 1000000"),
    "metadata that are no JSON": _item(metadata="{"),
    "metadata that are a list": _item(metadata="[1]"),
    "metadata that are null": _item(metadata="null"),
    "metadata as bytes": _item(metadata=b"\xff\x00"),
    "metadata 100,000 deep": _item(metadata='{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "metadata of 10 MB": _item(metadata='{"a": "' + "x" * 10_000_000 + '"}'),
    "metadata of no numbers": _item(metadata='{"a": NaN, "b": 1e999}'),
    "items of no sense": _item(modality="smell"),
    "items and vectors of no sense": lambda connection: (
        _item(modality="smell")(connection),
        _vector(_halves(384**-0.5), "smell")(connection),
    ),
    "items of empty sense": _item(modality=""),
    "ids as bytes": _item(id=b"\xff\x00"),
    "empty ids": _item(id=""),
    "ids of a megabyte": _item(id="x" * 1_000_000),
    "ids with line feeds": _item(id="a\r\nb: c\0"),
    "ids that are numbers": _item(id=7),
    "times before all": _item(created=-(2**63)),
    "times after all": _item(created=2**63 - 1),
    "times as text": _item(created="once"),
    "types of media with headers": _item(mime="text/html\r\nset-cookie: a=b"),
    "types of media as bytes": _item(mime=b"\xff"),
    "numbers below nothing": _sql("UPDATE item SET seq = -seq", "UPDATE vector SET seq = -seq"),
    "the largest numbers": _sql(
        "UPDATE item SET seq = 9223372036854775800 + seq",
        "UPDATE vector SET seq = 9223372036854775800 + seq",
    ),
    "wrong checksums": _sql("UPDATE item SET crc = 1", "UPDATE vector SET crc = 1"),
    "checksums as text": _sql("UPDATE item SET crc = 'x'"),
    "media of nobody": _sql("INSERT INTO content VALUES (999999, x'00', 0)"),
    "tags of nobody": _sql("INSERT INTO tag VALUES (1, 1, 'x', 999999)"),
    "tags of no kind": _sql("INSERT INTO tag VALUES (-1, 99, x'ff', -1)"),
    "the living as dead": _sql("INSERT OR IGNORE INTO dead SELECT seq, modality FROM item"),
    "queries of nothing": _sql("INSERT INTO query VALUES ('text', x'00', 0)"),
    "fields that are no JSON": _fact("indexed", "{"),
    "fields that are a list": _fact("indexed", "[1]"),
    "fields of no kind": _fact("indexed", '{"a": "b"}'),
    "a recall of no number": _fact("recall_target", "nan"),
    "a recall of 7": _fact("recall_target", "7"),
    "a recall of words": _fact("recall_target", "all"),
    "a structure that nobody knows": _fact("structure", "pyramid"),
    "a background that is no JSON": _fact("background", "{"),
    "a background of no numbers": _fact("background", '{"text image": [NaN, 0]}'),
    "a table more": _sql("CREATE TABLE more (x)"),
    "a table that is none": _sql("CREATE VIRTUAL TABLE more USING fts5(x)"),
    "a table less": _sql("DROP TABLE tag"),
    "a column more": _sql("ALTER TABLE item ADD COLUMN more"),
    "a column that computes": _sql("ALTER TABLE item ADD COLUMN m AS (hex(zeroblob(100000000)))"),
    "an index that forbids": _sql("CREATE UNIQUE INDEX one ON item (length(id) + seq * 0)"),
    "an index that computes": _sql("CREATE INDEX i ON item (length(hex(zeroblob(10000000))))"),
    "no index": _sql("DROP INDEX of_modality"),
    "an old version": _sql("PRAGMA user_version = 1"),
    "a version below nothing": _sql("PRAGMA user_version = -5"),
    "a version to come": _sql("PRAGMA user_version = 99"),
    "a schema that lies": _sql(
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE item (a, b)' WHERE name = 'item'",
    ),
    "a schema that is nonsense": _sql(
        "PRAGMA writable_schema = 1", "UPDATE sqlite_master SET sql = 'SELECT 1'"
    ),
    "two tables in one": _sql(
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_master SET rootpage = 2",
    ),
}


def _used(http: httpx.Client, outcome: Outcome, name: str, forged: bytes) -> None:
    """Restores one and asks everything of it that reads or writes."""
    sent = http.put("/v1/snapshots/forged", content=forged)
    restored = http.post("/v1/collections:restore", json={"snapshot": "forged", "collection": "f"})
    answers = {"send": sent, "restore": restored}
    outcome.note("forgeries restored" if restored.is_success else "forgeries refused")
    for method, path, body in ASKS if restored.is_success else ():
        try:
            answers[f"{method} {path}"] = http.request(method, path, json=body)
        except httpx.TransportError:
            outcome.note("connections closed after a failure of ours")
            answers[f"{method} {path}"] = http.request(method, path, json=body)
    for asked, answer in answers.items():
        reason = ""
        if not answer.is_success:
            reason = answer.json()["error"]["reason"]
            outcome.note(f"answers {reason}")
        outcome.expect(reason != "INTERNAL", f"{name}: {asked} is {reason}")
        outcome.expect("set-cookie" not in answer.headers, f"{name}: {asked} sets a header")
    for path in ("/v1/collections/f", "/v1/snapshots/forged"):
        gone = http.delete(path)
        outcome.expect(gone.status_code in (204, 200, 404), f"{name}: {path} stays: {gone.text}")


ITEMS = "/v1/collections/f/items"
ASKS: tuple[tuple[str, str, object], ...] = (
    ("GET", "/v1/collections/f?stats=true", None),
    ("GET", "/v1/collections", None),
    ("GET", f"{ITEMS}?include=vector&include=metadata", None),
    ("GET", f"{ITEMS}/words?include=vector", None),
    ("GET", f"{ITEMS}/red/content", None),
    ("POST", f"{ITEMS}:search", {"query": "red"}),
    ("POST", f"{ITEMS}:search", {"query": "red", "filter": {"year": {"$gt": 1}}}),
    ("POST", f"{ITEMS}:search", {"query": {"type": "item", "id": "red"}}),
    ("POST", "/v1/collections/f:score", {"query": "red"}),
    ("PATCH", "/v1/collections/f", {"indexed": ["year"]}),
    ("POST", f"{ITEMS}:search", {"query": "red", "filter": {"year": 2020}}),
    ("POST", f"{ITEMS}:upsert", {"items": [{"content": "new words", "id": "red"}]}),
    ("POST", f"{ITEMS}:upsert", {"items": [{"content": "newer words", "id": "new"}]}),
    ("POST", f"{ITEMS}:search", {"query": "new words"}),
    ("POST", f"{ITEMS}:delete", {"ids": ["words", "new"]}),
    ("POST", "/v1/collections/f:snapshot", None),
)
