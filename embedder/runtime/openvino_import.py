"""Imports openvino in silence; every import of it goes through here.

`import openvino` imports its conversion tool too, and the tool reports each import to Google
Analytics unless the user has opted out beforehand. Nothing here needs the tool, so it is kept from
being imported; openvino takes its absence for a smaller build. Others may import it afterwards.
"""

import importlib
import sys
from types import ModuleType

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
