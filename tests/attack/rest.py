"""schemathesis over the OpenAPI document of a real server (extra `attack`), headers and all."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

EXAMPLES = 20
"""Of each operation and phase."""

UNFIT = "positive_data_acceptance"
"""A check that is left out: it wants every value that fits the schema to be accepted, and whether a
collection exists, a picture decodes or parts cancel out is nothing that a schema can tell."""

MORE_HEADERS = (
    *("accept", "accept-encoding", "accept-language", "authorization", "cookie", "expect"),
    *("forwarded", "if-match", "if-none-match", "if-range", "origin", "range", "traceparent"),
    *("tracestate", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-request-id"),
)
"""Headers that are not in the document, and mean something to servers, frameworks or us."""

CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 504]
negative_data_rejection.expected-statuses = ["4xx", "2xx", 504]
unsupported_method.enabled = false
"""
"""With headers: a deadline that has passed is 504, headers that we do not know are passed by, as
HTTP has it (RFC 9110, 5.1), and who is refused for a header is not told of methods."""


def attack(seconds: float) -> Outcome:
    """Asks what a schema allows and forbids; `seconds` is not used, the examples are counted."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = shutil.which("schemathesis", path=beside)
    if command is None:
        raise SystemExit("this needs schemathesis: pip install 'kindred[attack]'")
    outcome = Outcome()
    for config, headers in (("", None), (CONFIG, MORE_HEADERS)):
        with victim(allow_anonymous=True) as server:
            _run(command, server, config, headers, outcome)
    return outcome


def _run(
    command: str,
    server: Victim,
    config: str,
    headers: tuple[str, ...] | None,
    outcome: Outcome,
) -> None:
    (server.folder / "schemathesis.toml").write_text(config)
    schema = _document(server, headers)
    done = subprocess.run(
        [
            *(command, "run", str(schema), "--url", server.http, "--exclude-checks", UNFIT),
            *("--max-examples", str(EXAMPLES), "--request-timeout", "30"),
        ],
        cwd=server.folder,  # where it finds its configuration and leaves a cache
        capture_output=True,
        text=True,
        check=False,
    )
    for name, pattern in (("operations", r"Tested: (\d+)"), ("requests", r"(\d+) generated")):
        found = re.search(pattern, done.stdout)
        count = int(found.group(1)) if found else 0
        outcome.note(name, count)
        outcome.expect(count > 0, done.stdout[-500:] + done.stderr[-500:])
    operation = ""
    for line in done.stdout.splitlines():
        if found := re.fullmatch(r"_+ ([A-Z]+ /\S*) _+", line):
            operation = found.group(1)
        outcome.expect(not re.match(r"- ST\d+ ", line), f"{operation} {line}")
    outcome.expect("Network Error" not in done.stdout, "an answer was broken off")
    ready = server.illness()
    # What it deletes and stores is its own affair: only health is asked for.
    outcome.expect(not ready or "album" in ready or "COLLECTION_NOT_FOUND" in ready, ready)


def _document(server: Victim, headers: tuple[str, ...] | None) -> Path:
    """Writes the document with more headers, or with none at all, and returns where.

    Most requests with headers are refused or out of time for one of them alone, so that without
    headers more is tried of the rest.
    """
    document = httpx.get(f"{server.http}/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            known = operation.get("parameters", [])
            if headers is None:
                operation["parameters"] = [it for it in known if it.get("in", "header") != "header"]
            else:
                operation["parameters"] = [*known, *map(_header, headers)]
    written = server.folder / "openapi.json"
    written.write_bytes(orjson.dumps(document))
    return written


def _header(name: str) -> Mapping[str, Any]:
    return {"name": name, "in": "header", "schema": {"type": "string"}}
