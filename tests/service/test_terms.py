"""What a request may say about its own urgency."""

import math
import time

import pytest

from service.errors import InvalidRequest
from service.terms import Priority, Terms, deadline_after, priority_of, timeout_of


def test_priorities_have_names() -> None:
    assert [priority_of(sent) for sent in (None, "interactive", "bulk")] == [
        None,
        Priority.INTERACTIVE,
        Priority.BULK,
    ]


@pytest.mark.parametrize("sent", ["", "Bulk", "urgent", "x" * 1000])
def test_other_priorities_are_refused(sent: str) -> None:
    with pytest.raises(InvalidRequest, match="x-kindred-priority must be interactive or bulk, got"):
        priority_of(sent)


@pytest.mark.parametrize("sent", ["", "soon", "0", "-1", "nan", "inf", "1s"])
def test_other_timeouts_are_refused(sent: str) -> None:
    with pytest.raises(InvalidRequest, match="x-request-timeout must be a positive number"):
        timeout_of(sent)


def test_a_timeout_becomes_a_deadline() -> None:
    assert timeout_of(None) is None
    assert deadline_after(None) == math.inf
    terms = Terms(deadline=deadline_after(timeout_of("2.5")))
    assert 2 < terms.remaining <= 2.5
    assert Terms(deadline=time.monotonic() - 1).remaining < 0
