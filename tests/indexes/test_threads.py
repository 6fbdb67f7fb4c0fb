import threading
from functools import partial

import pytest

from indexes.derived.threads import Helpers


def _together(barrier: threading.Barrier, number: int) -> int:
    barrier.wait(10)
    return number


def test_shares_run_at_once_and_answer_in_their_order() -> None:
    helpers, barrier = Helpers(3), threading.Barrier(3)
    assert helpers.run([partial(_together, barrier, number) for number in range(3)]) == [0, 1, 2]
    helpers.close()


def test_a_caller_whose_helpers_are_busy_works_alone() -> None:
    helpers, busy, free = Helpers(2), threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        free.wait(10)

    other = threading.Thread(target=helpers.run, args=([hold, hold],))
    other.start()
    assert busy.wait(10)
    names = helpers.run([lambda: threading.current_thread().name for _ in range(5)])
    assert len(names) == 5
    free.set()
    other.join()
    helpers.close()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_helpers_are_free_again_after_an_error(threads: int) -> None:
    def fail() -> int:
        raise ValueError("no")

    helpers = Helpers(threads)
    for _ in range(10):
        with pytest.raises(ValueError, match="no"):
            helpers.run([fail, fail, fail])
    assert helpers.run([lambda: 1, lambda: 2]) == [1, 2]
    assert helpers.run([]) == []
    helpers.close()
