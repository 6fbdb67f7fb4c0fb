"""Filters that speak SQL: in fields, operators and values, over a search and a list."""

import httpx

from tests.attack.outcome import Outcome
from tests.attack.victim import victim

INJECTIONS = (
    *("'; DROP TABLE item; --", '"; DELETE FROM item; --', "1 OR 1=1", "' OR ''='"),
    *("x') UNION SELECT * FROM sqlite_master; --", "year' = 2020 OR 'a' = 'a", "%", "_", "*"),
    *("year\x00", "'||(SELECT group_concat(id) FROM item)||'", "\\", "`", "]", "[0]", "$.year"),
    *("$[#-1]", "$**", "a.b'.c", '$."x"', "/**/", "load_extension('x')", "\ud7ff\U0001f600"),
    *("?1", ":name", "@x", "x" * 5000, "a." * 500 + "a", "rowid", "key", "vector", "content"),
)


def attack(seconds: float) -> Outcome:
    """Asks each once; every one has an answer or INVALID_FILTER, and none finds what it must not.

    Args:
        seconds: Not used.
    """
    outcome = Outcome()
    with victim() as server, httpx.Client(base_url=server.http, timeout=30) as http:
        for given in _filters():
            asked = {"query": "red", "filter": given}
            found = http.post("/v1/collections/album/items:search", json=asked)
            body = found.json()
            reason = body.get("error", {}).get("reason", "answers")
            outcome.note(reason)
            told = f"{str(given)[:80]}: {found.status_code} {reason}"
            outcome.expect(reason in ("answers", "INVALID_FILTER", "INVALID_ARGUMENT"), told)
            outcome.expect(not body.get("hits") or _is_true_of_all(given), f"found by {told}")
        outcome.note("filters", sum(outcome.counts.values()))
        illness = server.illness()
        outcome.expect(not illness, illness)
    return outcome


def _filters() -> list[dict[str, object]]:
    """Returns filters with an injection in the place of a field, an operator or a value."""
    by_place: list[dict[str, object]] = []
    for text in INJECTIONS:
        by_place += [{text: 1}, {text: {"$exists": True}}, {text: {"$in": [text, 1]}}]
        by_place += [{"year": {text: 1}}, {"year": text}, {"year": {"$in": [text]}}]
        by_place += [{"id": text}, {"modality": text}, {"created": text}]
        by_place += [{"$or": [{text: text}, {"id": text}]}, {"$not": {text: 1}}]
    deep: dict[str, object] = {"year": 1}
    for _ in range(200):
        deep = {"$not": deep}
    wide: dict[str, object] = {"$or": [{"year": n} for n in range(20_000)]}
    many: dict[str, object] = {"year": {"$in": list(range(200_000))}}
    return [*by_place, deep, wide, many]


def _is_true_of_all(given: dict[str, object]) -> bool:
    """Tells whether a filter may find something: what no item has is not equal to anything."""
    return "$not" in given
