"""Flag, environment, file, default, in this order; and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.settings import Settings, SettingsError, load_settings, misspelt
from tests import settings_table


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flag_environment_file_default(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().port == 8000
    (elsewhere / "kindred.toml").write_text('port = 1\nmodels = ["a", "b"]\n')
    assert load_settings().port == 1
    assert load_settings().models == ("a", "b")
    monkeypatch.setenv("KINDRED_PORT", "2")
    assert load_settings().port == 2
    assert load_settings(port=3).port == 3
    assert load_settings(port=None).port == 2


def test_a_variable_that_is_nearly_a_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KINDRED_MAX_ITMS", "KINDRED_MAX_K", "KINDRED_PORT_8000_TCP", "KINDRED_API_KEY"):
        monkeypatch.setenv(name, "1")
    assert [*misspelt()] == [("KINDRED_MAX_ITMS", "KINDRED_MAX_ITEMS")]


def test_the_environment_writes_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINDRED_MODELS", "kindred-mini, other")
    assert load_settings().models == ("kindred-mini", "other")


@pytest.fixture(scope="module")
def help_of_serve() -> str:
    """What `kindred serve --help` says, without the lines and the breaks of its table."""
    wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    shown = CliRunner().invoke(app, ["serve", "--help"], env=wide).stdout
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", shown).split())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_help_and_in_the_docs(help_of_serve: str, name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert settings_table.flag(name, field) + " " in help_of_serve.replace(",", " ")
    documented = settings_table.FILE.read_text(encoding="utf-8")
    assert f"| `{name}` |" in documented
    assert field.description in documented


def test_the_docs_say_what_the_settings_say() -> None:
    assert settings_table.FILE.read_text(encoding="utf-8") == settings_table.written()


PATH = Path | None

WORSE: dict[str, Callable[[Any], Any]] = {
    "ge": lambda least: least - 1,
    "gt": lambda bound: bound,
    "le": lambda most: most + 1,
    "min_length": lambda _: "",
    "pattern": lambda _: "?",
}
"""By the name of a rule: a value that only just breaks it."""

BROKEN = [
    pytest.param(name, WORSE[kind](bound), str(bound), id=f"{name} {kind}")
    for name, field in Settings.model_fields.items()
    for kind, bound in settings_table.rules(field)
] + [
    pytest.param(name, "neither", f"valid {word}", id=f"{name} {word}")
    for name, field in Settings.model_fields.items()
    for kind, word in ((int, "integer"), (float, "number"), (bool, "boolean"))
    if field.annotation is kind
]


def test_hardly_a_setting_has_no_rule() -> None:
    bare = {"store", "cors_origins", "generator", "job_folders"}  # each has a test of its own
    told = {str(each.values[0]) for each in BROKEN} | bare
    paths = {name for name, f in Settings.model_fields.items() if f.annotation in (Path, PATH)}
    assert Settings.model_fields.keys() - told - paths == {"host"}


@pytest.mark.parametrize(("name", "value", "rule"), BROKEN)
def test_whatever_breaks_its_rule_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, rule: str
) -> None:
    monkeypatch.setenv(f"KINDRED_{name.upper()}", str(value))
    refused = CliRunner().invoke(app, ["serve"])
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert told.startswith(f"error: {name}: ")
    assert rule.replace(" ", "") in told.replace(" ", "")
    assert told.endswith((f"got {str(value)!r}", "got ()"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": 70_000}, "port: .*65535, got 70000"),
        ({"max_items": 0}, "max_items: .*greater than or equal to 1, got 0"),
        ({"models": ()}, "models: "),
        ({"hots": "x"}, "hots: "),
        ({"log_level": "loud"}, "log_level: "),
        ({"runtime": "abacus"}, "runtime: .*got 'abacus'"),
        ({"cors_origins": "example.org"}, "cors_origins: an origin is SCHEME://.*'example.org'"),
        ({"cors_origins": "https://a.org/"}, "cors_origins: .* without a path"),
        ({"cors_origins": "*"}, "cors_origins: "),
        ({"job_folders": "pictures"}, "job_folders must be absolute paths, got pictures"),
        ({"job_folders": "/no/such"}, "job_folders must be folders that exist, got /no/such"),
        ({"generator": "none.safetensors"}, "generator: .*must exist, got 'none.safetensors'"),
        ({"store": "redis://localhost"}, "store: a store is a folder, milvus://.*got 'redis"),
        ({"recall_target": 1.01}, "recall_target: .*less than or equal to 1, got 1.01"),
        ({"recall_target": 0}, "recall_target: .*greater than 0, got 0"),
        ({"search_threads": 0}, "search_threads: "),
        ({"exact_rows": -1}, "exact_rows: "),
        ({"max_snapshot_bytes": 0}, "max_snapshot_bytes: "),
        ({"tls_key": "key.pem"}, "tls_certificate and tls_key belong together"),
        ({"tls_client_ca": "ca.pem"}, "tls_client_ca takes a tls_certificate"),
        (
            {"tls_certificate": "none.pem", "tls_key": "none.pem"},
            "a file of TLS must exist, there is no none.pem",
        ),
        ({"max_items": 2000}, "queue_size 1024 must not be less than max_items 2000"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_rule(
    flags: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(**flags)


@pytest.mark.parametrize("name", ["data", "cache", "snapshots", "adapters", "jobs"])
def test_a_file_is_no_folder(elsewhere: Path, name: str) -> None:
    (elsewhere / "file").touch()
    for path in (elsewhere / "file", elsewhere / "file/below"):
        with pytest.raises(
            SettingsError, match=rf"{name} must be a folder, got {path}: .*/file is"
        ):
            load_settings(**{name: path})
    (elsewhere / "link").symlink_to("nowhere")
    with pytest.raises(SettingsError, match=f"{name} must be a folder, got .*/link is none"):
        load_settings(**{name: elsewhere / "link"})


def test_a_host_may_be_written_as_in_addresses() -> None:
    assert load_settings(host="[::1]").host == "::1"
    with pytest.raises(SettingsError, match="host: the host must be an address of this machine"):
        load_settings(host="")


def test_a_wrong_file_is_refused(elsewhere: Path) -> None:
    (elsewhere / "kindred.toml").write_text("port = \n")
    with pytest.raises(SettingsError, match=r"kindred\.toml is not TOML"):
        load_settings()
    (elsewhere / "kindred.toml").write_text("prot = 1\n")
    with pytest.raises(SettingsError, match="prot"):
        load_settings()


def test_collections_are_in_the_data_folder_unless_a_store_is_named() -> None:
    assert load_settings().store_address == Path("kindred-data")
    assert (
        load_settings(store="milvus://localhost:19530").store_address == "milvus://localhost:19530"
    )


def test_snapshots_are_in_the_data_folder_unless_a_folder_is_named() -> None:
    assert load_settings(data="x").snapshot_folder == Path("x/.snapshots")
    assert load_settings(data="x", snapshots="/y").snapshot_folder == Path("/y")


def test_threads_of_a_forward_pass_fit_the_machine() -> None:
    assert load_settings().forward_threads >= 1
    assert load_settings(threads=3).forward_threads == 3


def test_the_runtime_is_chosen_unless_it_is_named() -> None:
    assert load_settings().placement.runtime is None
    assert load_settings(runtime="torch").placement.runtime == "torch"


def test_a_precision_and_a_device_are_what_they_can_be() -> None:
    placement = load_settings(device="cuda:1", precision="bf16").placement
    assert (placement.device, placement.precision) == ("cuda:1", "bf16")
    with pytest.raises(SettingsError, match=r"precision: .*fp16.* got 'int8'"):
        load_settings(precision="int8")
    with pytest.raises(SettingsError, match=r"device: .* got 'abacus'"):
        load_settings(device="abacus")


def test_the_cache_is_at_home_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().cache == tmp_path / ".cache" / "kindred"
    monkeypatch.setenv("KINDRED_CACHE", "/somewhere/else")
    assert load_settings().cache == Path("/somewhere/else")
