"""Every option of the service, and the only place that reads the environment.

A flag goes before the environment (`KINDRED_...`), the environment before `kindred.toml` in the
working directory, the file before the default. A wrong value stops the start by name and rule.
Users see one list; here each subject has a file:

    network        addresses, keys, TLS, connections
    storage        the store and the server's own folders
    compute        models, runtimes, threads; how searches are made fast
    requests       bounds of one request and of the queue
    media          bounds of one item and of the processes that decode it
    jobs           what works on beside requests
    observability  readiness, traces, logs
"""

from service.settings.network import LOOPBACK
from service.settings.settings import Settings, SettingsError, load_settings, misspelt
from service.settings.units import MIB, in_words

__all__ = [
    "LOOPBACK",
    "MIB",
    "Settings",
    "SettingsError",
    "in_words",
    "load_settings",
    "misspelt",
]
