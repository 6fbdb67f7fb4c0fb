"""Group commit, with commits that the test holds up: who is in which group is no accident."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from indexes.errors import StorageError
from indexes.local.line import Line


class Commits:
    """Takes down each group; a group that holds "hold" waits until it is released."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.held, self.release = threading.Event(), threading.Event()

    def __call__(self, changes: Sequence[str]) -> list[str]:
        self.groups.append(list(changes))
        if "hold" in changes:
            self.held.set()
            assert self.release.wait(10)
        if "full" in changes:
            raise StorageError("the disk is full")
        if "interrupt" in changes:
            raise KeyboardInterrupt
        return [change.upper() for change in changes]


def behind_a_held_one(
    pool: ThreadPoolExecutor, line: Line[str, str], commits: Commits, changes: Sequence[str]
) -> list[Future[str]]:
    """Submits one change that is held, the others in this order behind it, and lets go."""
    futures = [pool.submit(line.submit, "hold")]
    assert commits.held.wait(10)
    for count, change in enumerate(changes, start=2):
        futures.append(pool.submit(line.submit, change))
        while len(line._waiting) < count:
            threading.Event().wait(0.001)
    commits.release.set()
    return futures


def test_those_who_wait_are_committed_together_and_in_order() -> None:
    commits = Commits()
    line = Line(commits)
    with ThreadPoolExecutor(8) as pool:
        futures = behind_a_held_one(pool, line, commits, ["a", "b", "c", "d"])
        assert [future.result(10) for future in futures] == ["HOLD", "A", "B", "C", "D"]
    assert commits.groups == [["hold"], ["a", "b", "c", "d"]]
    assert line.submit("later") == "LATER"


def test_a_group_has_no_more_rows_than_allowed_but_at_least_one_change() -> None:
    commits = Commits()
    line = Line(commits, most_rows=4)
    with ThreadPoolExecutor(8) as pool:
        futures = behind_a_held_one(pool, line, commits, ["aa", "bb", "c", "dddddd", "e", ""])
        assert [future.result(10) for future in futures][-2:] == ["E", ""]
    assert commits.groups == [["hold"], ["aa", "bb"], ["c"], ["dddddd"], ["e", ""]]


def test_a_failure_reaches_everybody_in_the_group_and_nobody_else() -> None:
    commits = Commits()
    line = Line(commits, most_rows=6)
    with ThreadPoolExecutor(8) as pool:
        futures = behind_a_held_one(pool, line, commits, ["a", "full", "b", "c"])
        assert futures[0].result(10) == "HOLD"
        raised = [future.exception(10) for future in futures[1:4]]
        assert all(isinstance(error, StorageError) for error in raised)
        assert {str(error) for error in raised} == {"the disk is full"}
        assert len({id(error) for error in raised}) == 3, "each thread raises one of its own"
        assert futures[4].result(10) == "C"
    assert commits.groups == [["hold"], ["a", "full", "b"], ["c"]]


def test_an_interrupted_leader_leaves_nobody_waiting() -> None:
    commits = Commits()
    line = Line(commits)
    with ThreadPoolExecutor(8) as pool:
        futures = behind_a_held_one(pool, line, commits, ["interrupt", "a"])
        assert isinstance(futures[1].exception(10), KeyboardInterrupt)
        with pytest.raises(StorageError, match="cut short by KeyboardInterrupt"):
            futures[2].result(10)
    assert line.submit("b") == "B"


def test_a_commit_waits_for_those_whom_the_last_one_settled() -> None:
    commits = Commits()
    line = Line(commits)
    with ThreadPoolExecutor(8) as pool:
        for future in behind_a_held_one(pool, line, commits, ["a", "b"]):
            future.result(10)
        line._patience = 10.0
        first = pool.submit(line.submit, "c")
        while not line._waiting:
            threading.Event().wait(0.001)
        assert commits.groups[-1] == ["a", "b"], "two were settled, and one has come"
        assert pool.submit(line.submit, "d").result(10) == "D"
        assert first.result(10) == "C"
    assert commits.groups[-1] == ["c", "d"]


def test_those_who_do_not_come_again_are_not_waited_for_long() -> None:
    commits = Commits()
    line = Line(commits)
    with ThreadPoolExecutor(8) as pool:
        for future in behind_a_held_one(pool, line, commits, ["a", "b", "c"]):
            future.result(10)
    assert line._patience < 0.1, "a part of what the last commit took"
    assert [line.submit("d"), line.submit("e")] == ["D", "E"]
    assert commits.groups[-2:] == [["d"], ["e"]]
