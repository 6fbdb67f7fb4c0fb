from pathlib import Path

import numpy as np
import pytest

from benchmarks.search import host
from benchmarks.search.__main__ import main
from benchmarks.search.contestant import Contestant
from benchmarks.search.data import MODALITIES, Space, synthetic, widened
from benchmarks.search.engines import ENGINES, OURS
from benchmarks.search.engines.kindred import SWITCH_SECONDS
from benchmarks.search.play import Rules, play
from benchmarks.search.remote import Failed, Remote
from benchmarks.search.report import Report
from benchmarks.search.truth import Nearest, exact, recall
from benchmarks.search.workload import FILTERED, MIXED, PLAIN, RARE, Workload
from service import serve

DIM = 64
IMAGES, SOUNDS, QUERIES = 2_000, 400, 40


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    folder = tmp_path_factory.mktemp("vectors")
    vectors = synthetic(folder, {"image": IMAGES, "audio": SOUNDS}, QUERIES, DIM)
    return Workload(vectors, IMAGES, SOUNDS)


def test_the_vectors_are_like_those_of_clip() -> None:
    space = Space(512)
    rows = {name: space.rows(name, 2_000, 0) for name in MODALITIES}
    matched = space.rows("image", 2_000, 0, matched="text")
    random = rows["text"] @ rows["image"].T
    assert np.mean(rows["image"][:1_000] @ rows["image"][1_000:].T) == pytest.approx(0.54, abs=0.02)
    assert np.linalg.norm(rows["text"].mean(0) - rows["image"].mean(0)) == pytest.approx(
        0.8, abs=0.03
    )
    assert random.mean() == pytest.approx(0.23, abs=0.02)
    assert random.std() == pytest.approx(0.05, abs=0.01)
    assert np.einsum("ij,ij->i", rows["text"], matched).mean() == pytest.approx(0.34, abs=0.02)


def test_a_larger_run_has_the_rows_of_a_smaller_one(tmp_path: Path) -> None:
    few = synthetic(tmp_path, {"image": 100}, 4, DIM).rows("image")
    many = synthetic(tmp_path, {"image": 300}, 4, DIM).rows("image")
    np.testing.assert_array_equal(few, many[:100])


def test_the_truth_is_what_sorting_all_cosines_gives(workload: Workload) -> None:
    images = widened(workload.vectors.rows("image"))
    sounds = widened(workload.vectors.rows("audio"))
    texts = workload.vectors.queries["text"]
    everything = np.argsort(-texts @ np.concatenate([images, sounds]).T, axis=1)[:, :10]
    by_name = {question.name: question for question in MIXED}
    found = workload.truth(by_name["text -> all of a mixed collection"]).keys
    assert np.mean(np.sort(found) == np.sort(everything)) > 0.99  # cosines that round alike


def test_few_survivors_are_all_there_is(workload: Workload) -> None:
    rare = workload.truth(FILTERED[-1]).keys
    assert np.all(np.sum(rare >= 0, axis=1) == RARE)
    batches = list(workload.batches("image", 1_000))
    assert sum(int(batch.rare.sum()) for batch in batches) == RARE
    assert {batch.tags().count("rare") for batch in batches} <= set(range(RARE + 1))


def test_recall_counts_what_could_be_found() -> None:
    true = Nearest(np.array([[3, 5, -1]]), np.zeros((1, 3), dtype=np.float32))
    assert recall([[5, 7, 9]], true) == 0.5
    assert exact(np.eye(2, DIM, dtype=np.float32), np.eye(2, DIM, dtype=np.float16), 3).keys[
        :, 2
    ].tolist() == [-1, -1]


def test_a_run_measures_every_question_and_shows_it(
    workload: Workload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [result] = play([OURS], workload, Rules(rounds=1, seconds=0.05, threads=1), tmp_path / "stores")
    assert not result.failed
    assert {point.question for point in result.points} == {
        question.name for question in (*PLAIN, *FILTERED, *MIXED)
    }
    for point in result.points:
        assert point.recall >= 0.99, point
        assert 0 < point.p50 <= point.p99
    assert all(result.ingest.values())
    assert result.synced == result.ingest, "what is acknowledged is on disk"
    assert 0 < result.indexed < result.synced["1 x 1000"]
    assert result.disk > DIM * 2

    about = Report(IMAGES, SOUNDS, DIM, {}, {}, [result])
    about.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == about
    main(["plot", str(tmp_path / "report.json"), "--out", str(tmp_path / "plot.svg")])
    main(["table", str(tmp_path / "report.json")])
    assert f"| **{OURS}**, lists | synced | {result.ingest['1 x 1000']:,.0f} " in (
        capsys.readouterr().out
    )
    assert f">{OURS}<" in (tmp_path / "plot.svg").read_text()


def test_an_engine_that_dies_is_told_from_one_that_answers(
    workload: Workload, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    remote = Remote(OURS, tmp_path / "file", workload, threads=1)
    with pytest.raises(Failed, match=f"{OURS} ended in load"):
        remote.ask(Contestant.load, "image")
    remote.end()


def test_missing_peers_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.search.__main__.find_spec", lambda module: None)
    main(["--rows", "64", "--dim", "64", "--queries", "4", "--engines", "hnswlib"])
    assert ENGINES["hnswlib"].trait.distribution in capsys.readouterr().err


def test_threads_take_turns_as_in_a_server() -> None:
    assert SWITCH_SECONDS == serve.SWITCH_SECONDS
    assert host.COLLECT_OBJECTS == serve.COLLECT_OBJECTS
