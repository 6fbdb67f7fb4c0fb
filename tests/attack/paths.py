"""Names that lead elsewhere: in every path parameter of REST, every name of gRPC, file names."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx

from kindred import Client, KindredError
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

NAMES = (
    *("..", "../..", "../secret", "../../secret", "../../../../../../etc/passwd", "/etc/passwd"),
    *("%2e%2e", "%2e%2e%2fsecret", "..%2f..%2fsecret", "..%252f..%252fsecret", "%2fetc%2fpasswd"),
    *("..\\..\\secret", "..%5c..%5csecret", "album/../../secret", "album%2f..%2f..%2fsecret"),
    *(
        "%00",
        "album%00.png",
        "secret%00",
        ".keys.json",
        ".snapshots",
        ".snapshots%2f..%2f.keys.json",
    ),
    *("..%c0%af..%c0%afsecret", "%ef%bc%8e%ef%bc%8e%ef%bc%8fsecret", "....//secret", "~", "~root"),
    *("CON", "con.snapshot", "a" * 300, ".", "./album", "file:%2f%2f%2fetc%2fpasswd", "-rf", "*"),
)
SECRET = "the secret that nobody may read"


def attack(seconds: float) -> Outcome:
    """Asks for each, by every method; `seconds` is not used."""
    outcome = Outcome()
    with victim() as server:
        for folder in (server.folder, server.folder / "data"):
            (folder / "secret").write_text(SECRET)
        before = _files(server.folder)
        _over_rest(server, outcome)
        _over_grpc(server, outcome)
        for path in _files(server.folder) - before:
            inside = path.is_relative_to(server.folder / "data")
            hidden = inside and path.relative_to(server.folder / "data").parts[0]
            allowed = inside and (
                hidden == ".snapshots" or re.fullmatch(r"[a-z0-9_-]+", str(hidden))
            )
            outcome.expect(bool(allowed), f"a file was made: {path}")
            outcome.note("files made where they belong")
        illness = server.illness()
        outcome.expect(not illness, illness)
    return outcome


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.name != "log"}


def _routes(http: httpx.Client) -> Iterator[tuple[str, str]]:
    """Yields method and template of everything that has a parameter in its path."""
    for template, methods in http.get("/openapi.json").json()["paths"].items():
        for method in methods:
            if "{" in template:
                yield method.upper(), template


def _over_rest(server: Victim, outcome: Outcome) -> None:
    with httpx.Client(base_url=server.http, timeout=30) as http:
        for method, template in _routes(http):
            if method == "DELETE" and template.endswith("{collection}"):
                continue  # a name that means the album after all would end the attack
            names = re.findall(r"\{(\w+)\}", template)
            for place in range(len(names)):
                for bad in NAMES:
                    given = dict.fromkeys(names, "album") | {names[place]: bad}
                    path = template.format(**given)
                    answer = _raw(http, method, path)
                    _judge(outcome, f"{method} {path}", answer)


def _raw(http: httpx.Client, method: str, path: str) -> httpx.Response:
    """Sends a path as it is; httpx alone would resolve its dots."""
    url = http.base_url.copy_with(raw_path=path.encode("latin-1", "replace"))
    body = {"query": "red"} if method in ("POST", "PATCH") else None
    return http.request(method, url, json=body, content=b"no snapshot" if method == "PUT" else None)


def _judge(outcome: Outcome, asked: str, answer: httpx.Response) -> None:
    outcome.note(f"answers {answer.status_code}")
    outcome.expect(answer.status_code < 500, f"{asked}: {answer.status_code}")
    told = SECRET in answer.text or "root:" in answer.text
    outcome.expect(not told, f"{asked} told the secret")


def _over_grpc(server: Victim, outcome: Outcome) -> None:
    with Client(server.grpc) as client:
        asks = (
            client.get_collection,
            client.take_snapshot,
            client.restore_snapshot,
            client.delete_snapshot,
            client.get_profile,
            client.get_model,
            client.create_collection,
            lambda name: list(client.snapshot_pieces(name)),
            lambda name: client.restore_snapshot("album", collection=name),
            lambda name: client.upload_snapshot([b"no snapshot"], name=name),
            lambda name: client.get_content("album", name),
            lambda name: client.get_item("album", name),
            lambda name: client.condition("red", name),
            lambda name: client.embed("red", model=name),
            lambda name: client.embed("red", model=f"imagebind:{name}"),
        )
        for bad in NAMES:
            for ask in asks:
                try:
                    answer = ask(bad)
                    outcome.note("gRPC answers")
                    outcome.expect(SECRET not in str(answer), f"gRPC {bad!r} told the secret")
                except KindredError as error:
                    outcome.note(f"gRPC {error.reason}")
                    outcome.expect(error.code < 500, f"gRPC {bad!r}: {error.reason}")
