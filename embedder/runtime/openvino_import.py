"""Imports openvino in silence; every import of it goes through here.

`import openvino` imports its conversion tool too, and the tool reports each import to Google
Analytics unless the user has opted out beforehand. Nothing here needs the tool, so it is kept from
being imported; openvino takes its absence for a smaller build. Others may import it afterwards.
"""

import functools
import importlib
import sys
from types import ModuleType
from typing import Any

_REPORTS = "openvino.tools.ovc"


def import_openvino() -> ModuleType:
    """Returns the module `openvino`.

    Raises:
        ImportError: If it is not installed.
    """
    if "openvino" in sys.modules or _REPORTS in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[_REPORTS] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_REPORTS]


@functools.cache
def core() -> Any:  # noqa: ANN401 - openvino has no types
    """Returns the one `openvino.Core` of this process; it is never given up.

    Each core gives the thread that makes it a stack for signal handlers and takes it away when it
    goes. Cores that don't go in the reverse order of their coming leave a stack that is no longer
    mapped, and the next signal, SIGTERM say, ends the process with a segmentation fault.
    """
    return import_openvino().Core()
