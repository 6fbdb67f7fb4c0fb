"""schemathesis over the OpenAPI document of a real server (extra `attack`)."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

EXAMPLES = 20
"""Of each operation and phase."""

UNFIT = "positive_data_acceptance"
"""A check that is left out: it wants every value that fits the schema to be accepted, and whether a
collection exists, a picture decodes or parts cancel out is nothing that a schema can tell."""


def attack(seconds: float) -> Outcome:
    """Asks what a schema allows and forbids; `seconds` is not used, the examples are counted."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = shutil.which("schemathesis", path=beside)
    if command is None:
        raise SystemExit("this needs schemathesis: pip install 'kindred[attack]'")
    outcome = Outcome()
    with victim(allow_anonymous=True) as server:
        schema = _without_headers(server)
        done = subprocess.run(
            [
                *(command, "run", str(schema), "--url", server.http, "--exclude-checks", UNFIT),
                *("--max-examples", str(EXAMPLES), "--request-timeout", "30"),
            ],
            cwd=server.folder,  # where it leaves a cache
            capture_output=True,
            text=True,
            check=False,
        )
        for name, pattern in (("operations", r"Tested: (\d+)"), ("requests", r"(\d+) generated")):
            found = re.search(pattern, done.stdout)
            outcome.note(name, int(found.group(1)) if found else 0)
        for failure in dict.fromkeys(re.findall(r"(?m)^- (ST\d+ .*)$", done.stdout)):
            outcome.expect(False, failure)
        outcome.expect(outcome.counts["requests"] > 0, done.stdout[-500:] + done.stderr[-500:])
        ready = server.illness()
        # What it deletes and stores is its own affair: only health is asked for.
        outcome.expect(not ready or "album" in ready or "COLLECTION_NOT_FOUND" in ready, ready)
    return outcome


def _without_headers(server: Victim) -> Path:
    """Writes the document without the headers that any request may have, and returns where.

    What they ask for is no fault: a deadline of no time is 504, and headers we do not know are
    passed by, as HTTP has it (RFC 9110, 5.1).
    """
    document = httpx.get(f"{server.http}/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            known = operation.get("parameters", [])
            operation["parameters"] = [it for it in known if it.get("in", "header") != "header"]
    written = server.folder / "openapi.json"
    written.write_text(json.dumps(document))
    return written
