"""Flag, environment, file, default, in this order; and what is refused."""

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load_settings


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


def test_the_environment_writes_lists_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINDRED_MODELS", "kindred-mini, other")
    assert load_settings().models == ("kindred-mini", "other")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": 70_000}, "port: .*65535, got 70000"),
        ({"max_items": 0}, "max_items: .*greater than or equal to 1, got 0"),
        ({"models": ()}, "models: "),
        ({"hots": "x"}, "hots: "),
        ({"log_level": "loud"}, "log_level: "),
        ({"runtime": "abacus"}, "runtime: .*got 'abacus'"),
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
    with pytest.raises(SettingsError, match="precision: .*fp16.* got 'int8'"):
        load_settings(precision="int8")
    with pytest.raises(SettingsError, match="device: .* got 'abacus'"):
        load_settings(device="abacus")


def test_the_cache_is_at_home_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().cache == tmp_path / ".cache" / "kindred"
    monkeypatch.setenv("KINDRED_CACHE", "/somewhere/else")
    assert load_settings().cache == Path("/somewhere/else")
