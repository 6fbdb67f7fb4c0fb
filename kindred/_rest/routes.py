"""How each call travels over REST: one table."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import quote

import httpx

from kindred import _aliases as aliases
from kindred import _answers as answers
from kindred import _calls as calls
from kindred import _conditions as conditions
from kindred import _jobs as jobs
from kindred import _snapshots as snapshots
from kindred._calls import Call
from kindred._errors import InvalidArgument
from kindred._rest import answered, asked
from kindred._rest import conditions as conditioning
from kindred._rest import jobs as working


@dataclass(frozen=True)
class Route:
    """How one call travels.

    Attributes:
        verb: The HTTP method.
        path: Its path, with the call's fields in braces.
        read: Makes the answer from the response.
        body: Makes the JSON body from the call; none if it has none.
        query: Makes the query string from the call.
        file: Makes the pieces of a body that is a file.
        statuses: Statuses that are answers, besides those of success.
        event: Makes each part of the answer from the data of one server-sent event.
    """

    verb: str
    path: str
    read: Callable[[httpx.Response], Any]
    body: Callable[[Any], Mapping[str, Any]] | None = None
    query: Callable[[Any], Mapping[str, str]] | None = None
    file: Callable[[Any], Iterable[bytes]] | None = None
    statuses: frozenset[int] = frozenset()
    event: Callable[[dict[str, Any]], Any] | None = None

    def path_of(self, call: Call[Any]) -> str:
        """Returns the path of a call."""
        names = (name for _, name, _, _ in Formatter().parse(self.path) if name)
        return self.path.format_map({name: _segment(str(vars(call)[name])) for name in names})


def _segment(text: str) -> str:
    """Returns a text as one segment of a path; bare dots would be taken for a step up.

    Raises:
        InvalidArgument: If there is none, which would be the path of something else.
    """
    if not text:
        raise InvalidArgument("what a path names must have a character at least")
    return quote(text, safe="").replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _json(read: Callable[[dict[str, Any]], Any]) -> Callable[[httpx.Response], Any]:
    return lambda response: read(response.json())


def _file(response: httpx.Response) -> answers.File:
    kind: str = response.headers["content-type"]
    return answers.File(response.content, kind.partition(";")[0])


_COLLECTIONS = "/v1/collections"
_COLLECTION = "/v1/collections/{name}"
_ALIASES = "/v1/aliases"
_ALIAS = "/v1/aliases/{name}"
_JOBS = "/v1/jobs"
_JOB = "/v1/jobs/{id}"
_SNAPSHOTS = "/v1/snapshots"
_SNAPSHOT = "/v1/snapshots/{name}"
_CONDITION = "/v1/condition"
_PROFILES = f"{_CONDITION}/profiles"
_ITEMS = "/v1/collections/{collection}/items"

ROUTES: Mapping[type[Call[Any]], Route] = {
    calls.Health: Route(
        "GET",
        "/readyz",
        lambda response: response.status_code == httpx.codes.OK,
        statuses=frozenset({httpx.codes.SERVICE_UNAVAILABLE}),
    ),
    calls.ListModels: Route(
        "GET", "/v1/models", _json(lambda found: tuple(map(answered.model, found["data"])))
    ),
    calls.GetModel: Route("GET", "/v1/models/{name}", _json(answered.model)),
    calls.Embed: Route("POST", "/v1/embeddings", _json(answered.embeddings), asked.embed),
    calls.Rank: Route("POST", "/v1/rank", _json(answered.ranked), asked.rank),
    calls.CreateCollection: Route(
        "POST",
        _COLLECTIONS,
        _json(answered.collection),
        asked.create_collection,
    ),
    calls.ListCollections: Route(
        "GET",
        _COLLECTIONS,
        _json(lambda found: tuple(map(answered.collection, found["collections"]))),
    ),
    calls.GetCollection: Route(
        "GET",
        _COLLECTION,
        _json(answered.collection),
        query=lambda call: {"view": "full"} if call.with_stats else {},
    ),
    calls.UpdateCollection: Route(
        "PATCH",
        _COLLECTION,
        _json(answered.collection),
        lambda call: {"indexed": list(call.indexed)},
    ),
    aliases.RenameCollection: Route(
        "POST",
        f"{_COLLECTION}:rename",
        _json(answered.collection),
        lambda call: {"name": call.new_name},
    ),
    calls.DeleteCollection: Route("DELETE", _COLLECTION, lambda response: None),
    aliases.SetAlias: Route(
        "PUT",
        _ALIAS,
        _json(answered.alias),
        lambda call: asked.given(collection=call.collection, expected=call.expected),
    ),
    aliases.ListAliases: Route(
        "GET", _ALIASES, _json(lambda found: tuple(map(answered.alias, found["aliases"])))
    ),
    aliases.DeleteAlias: Route("DELETE", _ALIAS, lambda response: None),
    calls.Upsert: Route("POST", f"{_ITEMS}:upsert", _json(answered.item_results), asked.upsert),
    calls.DeleteItems: Route(
        "POST",
        f"{_ITEMS}:delete",
        _json(answered.item_results),
        lambda call: {"ids": list(call.ids)},
    ),
    calls.ListItems: Route("GET", _ITEMS, _json(answered.item_page), query=asked.list_items),
    calls.GetItem: Route(
        "GET",
        f"{_ITEMS}/{{id}}",
        _json(answered.item),
        query=lambda call: {"include": "vector"} if call.with_vector else {},
    ),
    calls.GetContent: Route(
        "GET",
        f"{_ITEMS}/{{id}}/content",
        _file,
    ),
    calls.Search: Route("POST", f"{_ITEMS}:search", _json(answered.search_answer), asked.search),
    conditions.ListProfiles: Route(
        "GET",
        _PROFILES,
        _json(lambda found: tuple(map(conditioning.profile, found["profiles"]))),
    ),
    conditions.GetProfile: Route("GET", f"{_PROFILES}/{{id}}", _json(conditioning.profile)),
    conditions.Condition: Route(
        "POST", _CONDITION, _json(conditioning.conditioned), conditioning.condition
    ),
    conditions.Generate: Route(
        "POST", "/v1/generate", _json(conditioning.pictures), conditioning.generate
    ),
    conditions.ScoreItems: Route(
        "POST",
        f"{_COLLECTIONS}/{{collection}}:score",
        _json(conditioning.scores),
        conditioning.score,
    ),
    conditions.ConditionFile: Route("POST", _CONDITION, _file, conditioning.condition_file),
    jobs.CreateJob: Route("POST", _JOBS, _json(working.job), working.create),
    jobs.GetJob: Route("GET", _JOB, _json(working.job)),
    jobs.ListJobs: Route("GET", _JOBS, _json(lambda found: tuple(map(working.job, found["jobs"])))),
    jobs.CancelJob: Route("POST", f"{_JOB}:cancel", _json(working.job)),
    jobs.WatchJob: Route("GET", f"{_JOB}/events", _json(working.job), event=working.job),
    jobs.ListJobErrors: Route(
        "GET", f"{_JOB}/errors", _json(working.error_page), query=working.errors
    ),
    snapshots.TakeSnapshot: Route(
        "POST", f"{_COLLECTIONS}/{{collection}}:snapshot", _json(answered.snapshot)
    ),
    snapshots.RestoreSnapshot: Route(
        "POST",
        f"{_COLLECTIONS}:restore",
        _json(answered.collection),
        lambda call: asked.given(snapshot=call.name, collection=call.collection),
    ),
    snapshots.ListSnapshots: Route(
        "GET",
        _SNAPSHOTS,
        _json(lambda found: tuple(map(answered.snapshot, found["snapshots"]))),
    ),
    snapshots.DeleteSnapshot: Route("DELETE", _SNAPSHOT, lambda response: None),
    snapshots.DownloadSnapshot: Route("GET", _SNAPSHOT, lambda response: response.content),
    snapshots.UploadSnapshot: Route(
        "PUT", _SNAPSHOT, _json(answered.snapshot), file=lambda call: call.pieces
    ),
}
