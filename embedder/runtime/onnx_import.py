"""Imports onnxruntime in silence; every import of it goes through here.

From 1.29 on, its builds for Linux tell Microsoft what machine and which models run them, from their
import on, and keep an id of the machine in `~/.cache/Microsoft`. Only a variable that is there
before the import keeps them from it: `disable_telemetry_events` comes after the first event. The
variable stays, for processes that are started by this one.
"""

import importlib
import os
from types import ModuleType


def import_onnxruntime() -> ModuleType:
    """Returns the module `onnxruntime`.

    Raises:
        ImportError: If it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    found = importlib.import_module("onnxruntime")
    found.disable_telemetry_events()  # of what somebody imported before
    return found
