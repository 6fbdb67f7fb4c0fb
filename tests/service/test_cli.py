"""The command line, on real files and a real folder of collections; only the model is a fake."""

import importlib
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner, Result

from embedder.errors import MissingDependency
from embedder.evaluate import Figure, Report
from indexes.local.folder import FolderStore
from kindred import Unavailable
from service.cli import app
from service.cli.evaluate import figures_table
from service.cli.local import LocalBackend
from service.cli.refusal import needs
from service.engine import Engine
from service.ingest.ingest import BATCH_FILES
from service.messages import ItemInput, ItemResult
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import audio_bytes, image_bytes, picture, tone
from tests.service.jobs.counting import write_words

pytestmark = pytest.mark.usefixtures("decodes_here")


def open_fake(settings: Settings) -> Engine:
    """Makes an engine of the fake model."""
    return Engine(settings, [FakeEmbedder()])


def kindred(*args: str | Path) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args], obj=open_fake)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    """A folder with pictures, sounds and a text whose kin the fake model knows."""
    folder = tmp_path / "gallery"
    (folder / "sounds").mkdir(parents=True)
    for colour in ("red", "green", "blue"):
        (folder / f"{colour}.png").write_bytes(image_bytes(picture(colour)))
    (folder / "sounds" / "loud.wav").write_bytes(audio_bytes(tone(loudness=1.0)))
    (folder / "sounds" / "quiet.wav").write_bytes(audio_bytes(tone(loudness=0.01)))
    (folder / "note.txt").write_text("red red red", encoding="utf-8")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def found(result: Result) -> Sequence[str]:
    """Returns the ids of the hits that a search printed as JSON."""
    assert result.exit_code == 0, result.output
    return [hit["id"] for hit in json.loads(result.stdout)["hits"]]


def said(result: Result) -> str:
    """Returns what standard error says, without the frame that wrong use is shown in."""
    return " ".join(result.stderr.replace("│", " ").split())


class TestIndex:
    def test_adds_a_folder_and_then_only_what_is_new(self, gallery: Path, data: Path) -> None:
        first = kindred("index", gallery, "--data", data)
        assert first.exit_code == 0, first.output
        assert first.stdout.startswith("default: 6 added, in ")
        (gallery / "new.png").write_bytes(image_bytes(picture("dark")))
        (gallery / "red.png").write_bytes(image_bytes(picture("bright")))
        second = kindred("index", gallery, "--data", data)
        assert second.stdout.startswith("default: 1 added, 1 changed, 5 unchanged, in ")

    def test_names_what_cannot_be_read_and_stores_the_rest(self, gallery: Path, data: Path) -> None:
        (gallery / "words.jpg").write_text("no picture", encoding="utf-8")
        (gallery / "cut.png").write_bytes(image_bytes(picture("red", (400, 300)))[:200])
        for name in ("data.csv", "sounds/more.CSV", "a.cr2", "LICENSE"):
            (gallery / name).write_text("1,2", encoding="utf-8")
        (gallery / "\x1b[2J\n.png").write_bytes(b"")
        result = kindred("index", gallery, "--data", data)
        assert result.exit_code == 1
        assert "6 added, 4 passed by, 3 failed" in result.stdout
        assert "passed by: 2 .csv, 1 no ending, 1 .cr2\n" in result.stderr
        assert "x \\x1b[2J\\n.png: a file must not be empty\n" in result.stderr
        assert "x words.jpg: a file must hold a picture or a sound" in result.stderr
        assert "x cut.png: " in result.stderr
        assert "Traceback" not in result.output

    def test_what_was_stored_is_told_when_the_server_is_gone(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_words(tmp_path / "words", 5 * BATCH_FILES)
        asked, upsert = itertools.count(), LocalBackend.upsert

        async def failing(
            backend: LocalBackend, name: str, items: Sequence[ItemInput], *, windows: bool
        ) -> Sequence[ItemResult]:
            if next(asked) == 3:
                raise Unavailable("connection reset")
            return await upsert(backend, name, items, windows=windows)

        monkeypatch.setattr(LocalBackend, "upsert", failing)
        result = kindred("index", tmp_path / "words", "--data", data)
        assert result.exit_code == 1
        stopped, error = result.stderr.splitlines()[:2]
        told = re.fullmatch(r"Stopped: (\d+) added\. Run it again to go on from there\.", stopped)
        assert told
        assert 0 < int(told[1]) <= 4 * BATCH_FILES
        assert error.startswith("error: UNAVAILABLE: connection reset; is a server there")
        again = kindred("index", tmp_path / "words", "--data", data)
        assert again.exit_code == 0
        unchanged = re.search(r"(\d+) unchanged", again.stdout)
        assert unchanged
        assert int(unchanged[1]) >= int(told[1])

    def test_long_texts_are_told_of(self, gallery: Path, data: Path) -> None:
        for number in range(2):
            words = " ".join(["red"] * (1000 + number))
            (gallery / f"{number}.md").write_text(words, encoding="utf-8")
        result = CliRunner().invoke(app, ["index", str(gallery), "--data", str(data)])
        assert result.exit_code == 0, result.output
        assert "of 2 long texts, only the beginning can be found\n" in result.stderr
        assert "long texts" not in kindred("index", gallery, "--data", data).stderr

    def test_names_every_file_when_asked(self, gallery: Path, data: Path) -> None:
        result = kindred("index", gallery, "--data", data, "--verbose")
        assert "+ sounds/loud.wav" in result.stderr

    def test_keeps_collections_and_prefixes_apart(self, gallery: Path, data: Path) -> None:
        kindred("index", gallery, "--data", data, "-c", "one")
        kindred("index", gallery, "--data", data, "-c", "one", "--prefix", "again/")
        result = kindred("search", "blue", "-c", "one", "-m", "image", "--data", data, "--json")
        assert set(found(result)[:2]) == {"blue.png", "again/blue.png"}

    def test_fields_are_indexed_in_a_new_collection_and_in_one_there_is(
        self, gallery: Path, data: Path
    ) -> None:
        for options, fields in (
            (["--indexed", "modified"], ("modified",)),
            ([], ("modified",)),
            (["--indexed", "bytes", "--indexed", "modified"], ("modified", "bytes")),
        ):
            assert kindred("index", gallery, "--data", data, *options).exit_code == 0
            with FolderStore(data) as store:
                assert store.open("default").indexed == fields
        refused = kindred("index", gallery, "--data", data, "--indexed", "created")
        assert refused.exit_code == 2
        assert "not 'created'" in said(refused)

    def test_a_structure_is_chosen_with_a_new_collection_only(
        self, gallery: Path, data: Path
    ) -> None:
        for structure, status in (("tree", 2), ("graph", 0), ("graph", 0), ("ivf", 2)):
            result = kindred("index", gallery, "--data", data, "--structure", structure)
            assert result.exit_code == status
        assert "has structure 'graph'" in said(result)
        with FolderStore(data) as store:
            assert store.open("default").structure == "graph"

    def test_an_empty_folder_is_no_error(self, tmp_path: Path, data: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert kindred("index", tmp_path / "empty", "--data", data).exit_code == 0

    def test_a_folder_that_is_not_there_is_wrong_use(self, tmp_path: Path) -> None:
        result = kindred("index", tmp_path / "nowhere")
        assert result.exit_code == 2
        assert "does not exist" in said(result)


class TestSearch:
    @pytest.fixture(autouse=True)
    def indexed(self, decodes_here: None, gallery: Path, data: Path) -> None:
        assert kindred("index", gallery, "--data", data).exit_code == 0

    def test_words_find_pictures_and_sounds(self, data: Path) -> None:
        red = kindred("search", "red", "-m", "image", "--data", data, "--json")
        assert found(red)[0] == "red.png"
        loud = kindred("search", "loud", "-m", "audio", "--data", data, "--json")
        assert found(loud)[0] == "sounds/loud.wav"

    def test_weak_hits_can_be_left_out(self, data: Path) -> None:
        asked = ("search", "red", "--data", data, "--json")
        scores = [hit["score"] for hit in json.loads(kindred(*asked).stdout)["hits"]]
        strong = json.loads(kindred(*asked, "--min-score", "0.5").stdout)["hits"]
        assert [hit["score"] for hit in strong] == [each for each in scores if each >= 0.5]
        assert 0 < len(strong) < len(scores)

    def test_unquoted_words_are_one_question(self, data: Path) -> None:
        quoted = kindred("search", "red green", "--data", data, "--json")
        unquoted = kindred("search", "red", "green", "--data", data, "--json")
        assert found(quoted) == found(unquoted)

    def test_files_and_stored_items_find_their_kin(self, gallery: Path, data: Path) -> None:
        by_file = kindred("search", "--image", gallery / "red.png", "--data", data, "--json")
        assert found(by_file)[0] == "red.png"
        by_id = kindred("search", "--like", "blue.png", "-m", "image", "--data", data, "--json")
        assert found(by_id)[0] == "blue.png"
        sound = kindred(
            "search", "--audio", gallery / "sounds" / "quiet.wav", "--data", data, "--json"
        )
        assert found(sound)[0] == "sounds/quiet.wav"

    def test_negative_words_push_away(self, data: Path) -> None:
        arguments = ("search", "red", "blue", "-m", "image", "--data", data, "--json")
        assert set(found(kindred(*arguments))[:2]) == {"red.png", "blue.png"}
        assert found(kindred(*arguments, "--negative", "red"))[0] == "blue.png"

    def test_k_and_filter_narrow_the_answer(self, data: Path) -> None:
        assert len(found(kindred("search", "red", "-k", "2", "--data", data, "--json"))) == 2
        only = '{"id": {"$eq": "green.png"}}'
        assert found(kindred("search", "red", "--filter", only, "--data", data, "--json")) == [
            "green.png"
        ]

    def test_a_table_is_for_people(self, data: Path) -> None:
        result = kindred("search", "red", "-m", "image", "--data", data)
        assert result.exit_code == 0
        header, first = result.stdout.splitlines()[1], result.stdout.splitlines()[3]
        for column in ("#", "modality", "id", "score", "calibrated", "probability"):
            assert column in header
        assert "red.png" in first

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "what should be looked for"),
            (("red", "--filter", "{"), "--filter must be JSON"),
            (("red", "--filter", "[]"), "must be a JSON object"),
            (("red", "--filter", '{"a": {"$near": 1}}'), "$near"),
            (("red", "-c", "nowhere"), "nowhere"),
            (("--like", "nobody"), "nobody"),
            (("red", "-m", "smell"), "smell"),
            (("red", "--server", "http://localhost:1"), "not both"),
        ],
    )
    def test_wrong_use_is_told_in_one_line(
        self, data: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        result = kindred("search", *arguments, "--data", data)
        assert result.exit_code == 2
        assert message in said(result)
        assert "Traceback" not in result.stderr
        assert result.stdout == ""

    def test_a_file_of_another_kind_is_refused(self, gallery: Path, data: Path) -> None:
        result = kindred("search", "--image", gallery / "sounds" / "loud.wav", "--data", data)
        assert result.exit_code == 2
        assert "WAV" in result.stderr


class TestEmbed:
    def test_writes_an_array_in_the_order_given(self, gallery: Path, tmp_path: Path) -> None:
        output = tmp_path / "vectors.npy"
        result = kindred("embed", "red", "red", "--image", gallery / "red.png", "-o", output)
        assert result.exit_code == 0, result.output
        vectors = np.load(output)
        assert vectors.shape == (3, FakeEmbedder().space.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(vectors @ vectors[0], 1, rtol=1e-5)

    def test_prints_a_line_each(self, gallery: Path) -> None:
        result = kindred("embed", "red", "--audio", gallery / "sounds" / "loud.wav")
        text, sound = (json.loads(line) for line in result.stdout.splitlines())
        assert (text["input"], text["modality"]) == ("red", "text")
        assert sound["modality"] == "audio"
        assert len(sound["embedding"]) == FakeEmbedder().space.dim

    def test_one_failure_leaves_no_array(self, gallery: Path, tmp_path: Path) -> None:
        output = tmp_path / "vectors.npy"
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        result = kindred("embed", "red", "--image", broken, "-o", output)
        assert result.exit_code == 1
        assert str(broken) in result.stderr
        assert not output.exists()

    def test_leaves_no_data_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert kindred("embed", "red").exit_code == 0
        assert list(tmp_path.iterdir()) == []


def test_figures_stand_beside_what_chance_reaches() -> None:
    report = Report(
        (
            Figure("text > image", "photos", "R@1", 0.123, 0.001, 900, ceiling=0.2),
            Figure("text > image", "photos", "R@10", 0.456, 0.01, 900),
            Figure("text - image", "held out", "modality gap", 0.5, None, 900),
        )
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(figures_table(report))
    rows = [re.findall(r"[^│┃]+", line) for line in console.export_text().splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows if len(row) == 7]
    assert cells == [
        ["direction", "dataset", "metric", "value", "ceiling", "chance", "queries"],
        ["text > image", "photos", "R@1", "0.123", "0.200", "0.001", "900"],
        ["", "photos", "R@10", "0.456", "", "0.010", "900"],
        ["text - image", "held out", "modality gap", "0.500", "", "", "900"],
    ]


def test_a_run_is_judged_with_its_teachers(tmp_path: Path) -> None:
    """Half of what is needed is refused before anything is loaded."""
    alone = kindred("evaluate", "--data", tmp_path, "--run", tmp_path)
    assert alone.exit_code == 2
    assert "--run and --teachers go together" in alone.output
    unbound = kindred("evaluate", "--data", tmp_path, "--rebind")
    assert unbound.exit_code == 2
    assert "--rebind needs --run" in unbound.output


def test_a_missing_package_is_told_with_what_to_install() -> None:
    expected = pytest.raises(MissingDependency, match=r"needs no_such_package.*kindred\[train\]")
    with expected, needs("train"):
        importlib.import_module("no_such_package")


def _every_command(
    command: Any,  # noqa: ANN401 - of a click that typer hides
    path: tuple[str, ...] = (),
) -> Iterator[tuple[tuple[str, ...], str]]:
    yield path, command.help or ""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _every_command(inner, (*path, name))


@pytest.mark.parametrize(("path", "told"), [*_every_command(get_command(app))])
def test_every_example_has_a_line_of_its_own(
    path: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = [line.strip() for line in kindred(*path, "--help").stdout.splitlines()]
    for example in re.findall(r"^ +(kindred .*)$", told, re.MULTILINE):
        assert example in lines


def test_every_flag_of_serve_is_told_in_full() -> None:
    told = kindred("serve", "--help").stdout
    assert not re.findall(r"--[a-z-]+…", told)
    assert "Default: 128 MiB." in told


@pytest.mark.parametrize(("path", "told"), [*_every_command(get_command(app))])
def test_every_command_has_an_example(path: tuple[str, ...], told: str) -> None:
    assert re.search(rf"^ +{' '.join(('kindred', *path))} ?", told, re.MULTILINE)
