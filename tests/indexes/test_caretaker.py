import logging
import threading

import pytest

from indexes.errors import CollectionNotFound, StorageError
from indexes.local.caretaker import Caretaker


class Patient:
    def __init__(self, name: str, failures: tuple[Exception, ...] = ()) -> None:
        self.name = name
        self.rounds = threading.Semaphore(0)
        self._failures = list(failures)

    def maintain(self) -> None:
        self.rounds.release()
        if self._failures:
            raise self._failures.pop(0)


def test_looks_after_all_of_them_when_nudged_and_by_itself() -> None:
    patients = [Patient("a"), Patient("b")]
    caretaker = Caretaker(lambda: patients, pause=3_600)
    caretaker.nudge()
    assert all(patient.rounds.acquire(timeout=10) for patient in patients)
    caretaker.close()
    assert not any(patient.rounds.acquire(blocking=False) for patient in patients)
    caretaker = Caretaker(lambda: patients, pause=0.001)
    for _ in range(3):
        assert all(patient.rounds.acquire(timeout=10) for patient in patients)
    caretaker.close()


def test_one_that_fails_is_told_of_and_keeps_no_other_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patients = [
        Patient("closed", (CollectionNotFound("closed"),)),
        Patient("full", (StorageError("the disk is full"),)),
        Patient("well"),
    ]
    with caplog.at_level(logging.WARNING):
        caretaker = Caretaker(lambda: patients, pause=0.001)
        for _ in range(2):
            assert all(patient.rounds.acquire(timeout=10) for patient in patients)
        caretaker.close()
    assert [record.getMessage() for record in caplog.records] == [
        "collection 'full' could not be looked after: the disk is full"
    ]


def test_what_failed_is_not_tried_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    patient = Patient("full", tuple(StorageError("the disk is full") for _ in range(100)))
    caretaker = Caretaker(lambda: [patient], pause=3_600)
    caretaker.nudge()
    assert patient.rounds.acquire(timeout=10)
    caretaker.nudge()
    assert not patient.rounds.acquire(timeout=0.1)
    caretaker.close()
    assert len(caplog.records) == 1
