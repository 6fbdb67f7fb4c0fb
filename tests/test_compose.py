"""What docker-compose.yml says, as far as that can be told without docker."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from indexes.milvus.address import parse_address
from service.settings import Settings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_only_one_process_starts_unasked(compose: dict[str, Any]) -> None:
    assert [name for name, one in compose["services"].items() if "profiles" not in one] == [
        "kindred"
    ]


def test_nothing_is_reached_from_outside_this_machine(compose: dict[str, Any]) -> None:
    ports = [port for one in compose["services"].values() for port in one.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_log_fills_the_disk(compose: dict[str, Any]) -> None:
    assert {one["logging"]["driver"] for one in compose["services"].values()} == {"local"}


def test_what_a_service_needs_is_there(compose: dict[str, Any]) -> None:
    for one in compose["services"].values():
        assert set(one.get("depends_on", [])) <= compose["services"].keys()
        for volume in one.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (ROOT / source).exists()


def test_both_replicas_share_a_store_and_the_balancer_knows_them(compose: dict[str, Any]) -> None:
    balancer = (ROOT / "deploy/balancer.conf").read_text()
    for name in ("replica-1", "replica-2"):
        environment = compose["services"][name]["environment"]
        fields = {key.removeprefix("KINDRED_").lower(): v for key, v in environment.items()}
        settings = Settings.model_validate(fields)
        assert parse_address(str(settings.store_address)).where == "milvus:19530"
        assert f"server {name}:{settings.port};" in balancer
        assert f"server {name}:{settings.grpc_port};" in balancer


@pytest.mark.parametrize("name", ["kindred", "replica-1", "replica-2"])
def test_a_server_writes_only_data_and_what_is_uploaded(compose: dict[str, Any], name: str) -> None:
    server = compose["services"][name]
    assert server["read_only"] is True
    assert server["tmpfs"] == ["/tmp"]
    assert server["cap_drop"] == ["ALL"]
    assert server["stop_grace_period"] == "30s"
    assert {volume.partition(":")[2] for volume in server["volumes"]} <= {"/data", "/snapshots"}


def test_the_image_is_warm_and_serves_as_nobody_special() -> None:
    steps = (ROOT / "Dockerfile").read_text().split("FROM ")[-1].splitlines()
    order = [next(i for i, step in enumerate(steps) if step.startswith(each)) for each in STEPS]
    assert order == sorted(order)
    assert "KINDRED_CACHE=/var/cache/kindred" in steps[order[0]]


STEPS = (
    "ENV PATH",
    "USER kindred",
    "RUN kindred models warm",
    "VOLUME /data",
    "HEALTHCHECK",
    "CMD",
)
