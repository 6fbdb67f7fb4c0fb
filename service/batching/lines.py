"""What waits for forward passes of its own, and how bulk gives way to who asks."""

import os
import sys
import threading
from typing import NamedTuple

from service.terms import Priority


class Line(NamedTuple):
    """What waits for passes of its own: texts of a lane, or all else of it.

    One wide pass of texts at a time does more than two narrow ones: its batches are larger, and
    its thread and the event loop keep a processor each. Of pictures two do more: decoding takes
    processors away, and a wide pass would wait for them at every operation.
    """

    lane: Priority
    texts: bool


LINES = tuple(Line(lane, texts) for lane in Priority for texts in (True, False))


def give_way(niceness: int) -> None:
    """Lowers the priority of this thread; elsewhere than on Linux only processes have one."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        usual = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, usual + niceness)
