"""What bounds a server: the model alone, and the least that any server does beside it."""

from typing import NamedTuple

from benchmarks.serve.load import Load
from benchmarks.serve.processes import Raw, Server, sent


class Bound(NamedTuple):
    """Items a second that can't be passed.

    Attributes:
        alone: Of forward passes.
        prepared: Of forward passes with decoding.
        possible: With what the least of servers takes as well.
    """

    alone: float
    prepared: float
    possible: float


class Bounds:
    """Measures bounds of a server on some CPUs.

    Args:
        raw: The model alone.
        echo: A server that only answers, see `benchmarks.serve.echo`.
        cpus: How many CPUs there are for the server.
    """

    def __init__(self, raw: Raw, echo: Server, cpus: int) -> None:
        self._raw, self._echo, self._cpus = raw, echo, cpus

    def of(self, kind: str, clients: int, seconds: float) -> Bound:
        """Returns the bounds for so many clients, measured for so many seconds each."""
        alone, prepared = self._raw.rates(kind, clients, seconds)
        begun, _ = self._echo.cpu_seconds
        load = Load(url=self._echo.url, kind=kind, clients=clients, seconds=seconds / 2)
        (found,) = sent(load)
        spent, _ = self._echo.cpu_seconds
        # One client waits for all of the way; many share processors, which have all the work.
        work = (spent - begun) / found["sent"] / self._cpus
        return Bound(alone, prepared, bounded(prepared, found["p50_ms"] / 1000, work, clients))


def bounded(rate: float, way: float, work: float, clients: int) -> float:
    """Returns a rate with `way` seconds more for each of one client's, or `work` of many's."""
    return 1 / (1 / rate + (way if clients == 1 else work))
