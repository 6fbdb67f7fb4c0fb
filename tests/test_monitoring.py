"""The dashboard and the alerts ask for what a real server exposes: metrics, labels and values."""

import asyncio
import errno
import json
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from embedder.base import Prepared, Vectors
from indexes.errors import StorageError
from kindred import AsyncClient, Image, IngestFolder, KindredError
from service.decoding.pool import CAUSES
from service.engine import Engine
from service.errors import TABLE, status_of
from service.jobs.messages import JobState
from service.serve import listening
from service.settings import Settings
from service.terms import Priority
from tests.fakes import FakeEmbedder
from tests.samples import image_bytes, photo

DEPLOY = Path(__file__).parents[1] / "deploy"
OF_PROMETHEUS = {"up": {"job", "instance"}}
ADDED = {"job", "instance"}
"""Labels that Prometheus puts on everything that it scrapes."""

SELECTOR = re.compile(r"\b(?P<name>(?:kindred|process)_\w+|up\b)(?:\{(?P<labels>[^}]*)\})?")
MATCHER = re.compile(r"(?P<label>\w+)(?P<how>=~|!=|=)\"(?P<value>[^\"]*)\"")
GROUPING = re.compile(r"\bby \((?P<labels>[^)]*)\)")

FULL = StorageError("it can't be stored")
FULL.__cause__ = OSError(errno.ENOSPC, "no space left")

ROWS = {*TABLE.values(), status_of(FULL)}
"""Everything that an error is called: what a full disk is called depends on its cause as well."""

VALUES: dict[str, set[str]] = {
    "reason": {row.reason for row in ROWS},
    "state": set(JobState),
    "cause": set(CAUSES),
    "lane": set(Priority),
    "job": {"kindred"},
}
"""What a label may say, where not everything is seen in one short life of a server."""


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Metric]:
    """Every sample of a server that has done a bit of everything, by its name."""
    text = asyncio.run(_scraped(tmp_path_factory.mktemp("served")))
    return {
        sample.name: family
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def _scraped(folder: Path) -> str:
    (folder / "media").mkdir()
    (folder / "media/red.txt").write_text("red")
    options = {"data": folder / "data", "port": 0, "grpc_port": 0, "job_folders": [folder]}
    settings = Settings.model_validate({**options, "decode_workers": 1})
    async with Engine(settings, [FakeEmbedder()]) as engine, listening(engine) as addresses:
        for address in addresses:
            async with AsyncClient(address) as client:
                await _something_of_everything(client, folder / "media")
        async with httpx.AsyncClient(base_url=addresses.http) as http:
            await http.get("/readyz")
            return (await http.get("/metrics")).text


async def _something_of_everything(client: AsyncClient, media: Path) -> None:
    await client.create_collection("a")
    await client.embed([Image(image_bytes(photo())), "red"])
    with pytest.raises(KindredError):
        await client.embed([Image(b"none")])
    await client.rank("red", ["red", "green"])
    await client.search("a", "red")
    with pytest.raises(KindredError):
        await client.search("none", "red")
    job = await client.create_job("a", IngestFolder(str(media)))
    async for _ in client.watch_job(job.id):
        pass
    await client.delete_collection("a")


def _panels() -> list[dict[str, Any]]:
    board = json.loads((DEPLOY / "grafana/kindred.json").read_text())
    panels: list[dict[str, Any]] = board["panels"]
    return panels


def _targets() -> Iterator[dict[str, str]]:
    return (target for panel in _panels() for target in panel["targets"])


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _expressions() -> list[str]:
    return [target["expr"] for target in _targets()] + [rule["expr"] for rule in _rules()]


def labels_of(name: str, exposed: dict[str, Metric]) -> set[str]:
    """Returns the labels of a metric as Prometheus keeps it."""
    if name in OF_PROMETHEUS:
        return OF_PROMETHEUS[name]
    assert name in exposed, f"nothing is called {name}"
    samples = [sample for sample in exposed[name].samples if sample.name == name]
    return {label for sample in samples for label in sample.labels} | ADDED


def test_what_is_asked_for_is_there(exposed: dict[str, Metric]) -> None:
    for expression in _expressions():
        found = list(SELECTOR.finditer(expression))
        assert found, expression
        for grouping in GROUPING.finditer(expression):
            asked = {label.strip() for label in grouping["labels"].split(",")}
            for each in found:
                assert asked <= labels_of(each["name"], exposed), expression


def test_what_is_matched_is_said(exposed: dict[str, Metric]) -> None:
    """A misspelt value would never match, and its alert never fire."""
    matchers = [
        (selector["name"], matcher)
        for expression in _expressions()
        for selector in SELECTOR.finditer(expression)
        for matcher in MATCHER.finditer(selector["labels"] or "")
    ]
    assert len(matchers) >= 5
    for name, matcher in matchers:
        label = matcher["label"]
        assert label in labels_of(name, exposed)
        if not (said := VALUES.get(label)):
            said = {sample.labels.get(label, "") for sample in exposed[name].samples}
        for value in _alternatives(matcher["value"]):
            assert any(re.fullmatch(value, each) for each in said), (name, value)


def test_every_reason_that_is_no_client_s_doing_wakes_somebody() -> None:
    ours = {row.reason for row in ROWS if row.http >= 500} | {"OVERLOADED"}
    asked = {rule["alert"]: rule["expr"] for rule in _rules()}
    woken = re.findall(r'reason=~"([^"]*)"', asked["KindredFaults"] + asked["KindredOverloaded"])
    assert {reason for each in woken for reason in each.split("|")} == ours


def _alternatives(value: str) -> list[str]:
    """Returns what a pattern, or a text, may stand for: `.*(a|b)` for `.*a` and `.*b`."""
    before, _, choice = value.rpartition("(")
    return [before + each for each in choice.rstrip(")").split("|")]


def test_it_is_asked_in_prometheus_s_language() -> None:
    for expression in _expressions():
        promql_parser.parse(expression.replace("$__rate_interval", "1m"))


def test_legends_and_messages_name_labels_that_are_left(exposed: dict[str, Metric]) -> None:
    texts = [(target["expr"], target["legendFormat"], r"\{\{(\w+)\}\}") for target in _targets()]
    for rule in _rules():
        texts.append((rule["expr"], rule["annotations"]["summary"], r"\$labels\.(\w+)"))
    for expression, text, pattern in texts:
        left = _left(expression, exposed)
        assert set(re.findall(pattern, text)) <= left, (expression, text)


def _left(expression: str, exposed: dict[str, Metric]) -> set[str]:
    """Returns the labels that an expression's results have."""
    if groupings := list(GROUPING.finditer(expression)):
        return {label.strip() for each in groupings for label in each["labels"].split(",")}
    if "sum(" in expression:
        return set()
    names = [selector["name"] for selector in SELECTOR.finditer(expression)]
    return set.intersection(*(labels_of(name, exposed) for name in names))


def test_every_metric_of_ours_is_on_the_dashboard_or_wakes_somebody(
    exposed: dict[str, Metric],
) -> None:
    asked = " ".join(_expressions())
    families = {family.name for family in exposed.values() if family.name.startswith("kindred_")}
    assert {name for name in families if name not in asked} == {
        "kindred_build_info",
    }


def test_counts_are_of_what_was_done(exposed: dict[str, Metric]) -> None:
    def told(name: str, **labels: str) -> float:
        samples = (sample for sample in exposed[name].samples if sample.name == name)
        return sum(it.value for it in samples if labels.items() <= it.labels.items())

    for transport in ("rest", "grpc"):
        for reason in ("UNDECODABLE_MEDIA", "COLLECTION_NOT_FOUND"):
            assert told("kindred_errors_total", transport=transport, reason=reason) == 1
    assert told("kindred_errors_total") == 4
    assert told("kindred_item_errors_total") == 2
    assert told("kindred_ready", model="fake") == 1
    assert told("kindred_jobs") == 0
    assert told("kindred_jobs_ended_total", task="folder", state="succeeded") == 2
    assert told("kindred_jobs_ended_total") == 2
    assert told("kindred_job_items_total", task="folder", fate="added") == 2
    assert told("kindred_decoders_replaced_total") == 0


def test_jobs_that_wait_and_that_are_worked_on_are_told(tmp_path: Path) -> None:
    asyncio.run(_two_jobs(tmp_path))


async def _two_jobs(folder: Path) -> None:
    (folder / "media").mkdir()
    (folder / "media/red.txt").write_text("red")
    options = {"data": folder / "data", "port": 0, "grpc_port": 0, "job_folders": [folder]}
    model = Held()
    async with (
        Engine(Settings.model_validate(options), [model]) as engine,
        listening(engine) as addresses,
        AsyncClient(addresses.http) as client,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        await client.create_collection("a")
        for prefix in ("one/", "two/"):
            await client.create_job("a", IngestFolder(str(folder / "media"), prefix))
        await asyncio.to_thread(model.entered.wait)
        metrics = (await http.get("/metrics")).text
        model.gate.set()
    for state in ("running", "queued"):
        assert f'kindred_jobs{{state="{state}"}} 1.0' in metrics


class Held(FakeEmbedder):
    """Holds its forward passes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.gate = threading.Event(), threading.Event()

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        self.entered.set()
        self.gate.wait(30)  # or the end of a test that failed would wait for ever
        return super().encode(batch)


def test_labels_do_not_grow_with_what_is_asked(exposed: dict[str, Metric]) -> None:
    """No label holds what a client may choose; a model, a task and a method are of a short list."""
    known = {"transport", "method", "status", "stage", "model", "modality", "reason", "lane"}
    known |= {"cause", "state", "task", "fate", "le", "version"}
    ours = {name for name in exposed if name.startswith("kindred_")}
    assert set().union(*(labels_of(name, exposed) for name in ours)) - ADDED == known
    methods = {sample.labels["method"] for sample in exposed["kindred_requests_total"].samples}
    assert not any("none" in method for method in methods)


def test_each_rule_says_how_urgent_it_is() -> None:
    assert {rule["labels"]["severity"] for rule in _rules()} == {"page", "ticket"}
    names = [rule["alert"] for rule in _rules()]
    assert len(set(names)) == len(names)


def test_no_panel_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in _panels()]
    corners = {(place["x"], place["y"]) for place in places}
    assert len(corners) == len(places)
    assert {(place["w"], place["h"]) for place in places} == {(12, 8)}
