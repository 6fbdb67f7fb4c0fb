"""A few decoding processes: whoever hangs, eats memory or dies is replaced."""

import contextlib
import json
import logging
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self, cast

from embedder import errors
from embedder.decode.limits import Limits
from embedder.errors import MediaError, UndecodableMedia
from embedder.frames import Pick, evenly
from embedder.media import Modality
from service.decoding.wire import Broken, Decoded, Line, Track, restored

log = logging.getLogger(__name__)

DECODER = "embedder.decode:decode_as"

CAUSES = ("late", "died", "idle", "unstarted")
"""Why a process is replaced: it took too long for an item, ended by one, or while it had nothing to
do, or did not start."""

START_SECONDS = 60.0
"""How long a process may take to import the decoders: half a second, on a machine that idles."""

LAST_SECONDS = 5.0
"""How long a process that no longer answers may take to end by itself, and tell how."""

_ENVIRONMENT: Mapping[str, str] = {
    "OPENBLAS_NUM_THREADS": "1",
    # What one item took the next takes again: from the kernel, every page would be zeroed anew,
    # which for a photograph takes half a millisecond.
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
}

_ERRORS: Mapping[str, type[MediaError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, MediaError)
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one item may cost.

    Attributes:
        limits: The decoder's own limits.
        memory: Bytes, on top of what the process takes anyway.
        seconds: Until the process is ended.
        niceness: How much lower the priority of the processes is than that of the service.
    """

    limits: Limits
    memory: int
    seconds: float
    niceness: int = 0


class DecodePool:
    """Decodes in processes, each of which is started when it is first needed. A context manager.

    Args:
        workers: How many, at most.
        bounds: What one item may cost.
        decoder: What decodes, as `module:function`.
        replaced: Hears the cause, one of `CAUSES`, whenever one has ended; called from threads.

    Attributes:
        is_ill: Whether the last process that was to start did not, or is not known to have.
    """

    def __init__(
        self,
        workers: int,
        bounds: Bounds,
        decoder: str = DECODER,
        replaced: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.is_ill = False
        self._start: Callable[[], _Worker] = lambda: _Worker(bounds, decoder, replaced)
        self._count = workers
        self._busy: set[_Worker] = set()
        # The last to come back is the first to go: as few are started as are needed.
        self._idle = queue.LifoQueue[_Worker | None]()
        for _ in range(workers):
            self._idle.put(None)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Ends the processes; see `end`."""
        self.end()

    def end(self) -> None:
        """Ends the processes, once they have done what they do, which may take its time."""
        for _slot in range(self._count):
            if worker := self._idle.get():
                worker.end()

    def abandon(self) -> None:
        """Ends at once what is being decoded; who waits for it all the same gets an error."""
        for worker in list(self._busy):
            worker.kill()

    def decode(
        self, modality: Modality, data: bytes, pick: Pick = evenly, reducer: str = ""
    ) -> Decoded:
        """Decodes what is seen or heard of a file, in any thread.

        Args:
            modality: Which of the two.
            data: The file.
            pick: Which frames of a film are seen.
            reducer: See `Embedder.reducers`; none by default.

        Raises:
            UndecodableMedia: If it is damaged, or took its process down, or more than it may cost.
            MediaError: If it exceeds a limit.
        """
        return cast(Decoded, self._ask(modality, data, pick, reducer))

    def still_ill(self) -> bool:
        """Tells, in any thread, whether no process starts, which is tried."""
        try:
            self.decode(Modality.IMAGE, b"")
        except MediaError:
            return False
        except (OSError, RuntimeError) as error:
            log.error("no decoding process starts", exc_info=error)
            return True
        return False

    def _ask(
        self, modality: Modality, data: bytes, pick: Pick = evenly, reducer: str = ""
    ) -> Decoded | Track:
        worker = self._idle.get()
        try:
            if worker is None or worker.has_ended():
                self.is_ill = True
                worker = self._start()
            self._busy.add(worker)
            worker.await_ready()
            self.is_ill = False
            return worker.decode(modality, data, pick, reducer)
        finally:
            if worker:
                self._busy.discard(worker)
            self._idle.put(worker if worker and worker.is_alive else None)


class _Worker:
    """One process."""

    def __init__(self, bounds: Bounds, decoder: str, replaced: Callable[[str], None]) -> None:
        self._bounds = bounds
        self._replaced = replaced
        self._is_ready = False
        self.is_alive = True
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                _command(theirs.fileno(), decoder, bounds),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C is meant for the service, which may be draining then
                # Nothing of ours: keys and passwords are no business of a decoder.
                env={"PYTHONPATH": ":".join(filter(None, sys.path)), **_ENVIRONMENT},
            )
        self._line = Line(ours, bounds.memory)

    def decode(self, modality: Modality, data: bytes, pick: Pick, reducer: str) -> Decoded | Track:
        """See `DecodePool.decode`; afterwards the process may be no longer alive."""
        seconds = self._bounds.seconds
        try:
            self._line.expire(seconds)
            self._line.send({"modality": modality, "reducer": reducer}, data)
            return self._answer(pick)
        except TimeoutError:
            self._replaced("late")
            self.end()
            raise UndecodableMedia(
                f"media must decode within decode_seconds {seconds:g}, and took longer"
            ) from None
        except Broken:
            self._replaced("died")
            raise UndecodableMedia(
                "media must decode without ending their decoder, which may take decode_bytes "
                f"{self._bounds.memory} of memory; it ended by {self.end(LAST_SECONDS)}"
            ) from None

    def has_ended(self) -> bool:
        """Tells whether the process died while it had nothing to do: no item is to blame."""
        if self._process.poll() is None:
            return False
        self._replaced("idle")
        log.warning("an idle decoding process ended by %s and is replaced", self.end())
        return True

    def end(self, patience: float = 0.0) -> str:
        """Ends the process, if it does not end by itself so soon, and returns how it ended."""
        self.is_alive = False
        self._line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self._process.kill()
        status = self._process.wait()
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def kill(self) -> None:
        """Ends the process, from any thread: whoever waits for it learns that it has ended."""
        self._process.kill()

    def await_ready(self) -> None:
        """Waits until a process that was just started can decode."""
        if self._is_ready:
            return
        self._line.expire(START_SECONDS)
        try:
            self._line.receive()
        except (TimeoutError, Broken) as error:
            self._replaced("unstarted")
            raise RuntimeError(
                f"a decoding process did not start: {self.end(LAST_SECONDS)}"
            ) from error
        self._is_ready = True

    def _answer(self, pick: Pick) -> Decoded | Track:
        header, parts = self._line.receive()
        while "pick" in header:
            rate, count = header["pick"]
            self._line.send({"picked": [int(number) for number in pick(rate, count)]})
            header, parts = self._line.receive()
        if "error" in header:
            raise _ERRORS.get(header["error"], UndecodableMedia)(str(header["message"]))
        return restored(header, parts)


def _command(number: int, decoder: str, bounds: Bounds) -> Sequence[str]:
    limits = json.dumps(asdict(bounds.limits))
    numbers = (number, decoder, bounds.memory, bounds.seconds, bounds.niceness, limits)
    return [sys.executable, "-P", "-m", "service.decoding.worker", *map(str, numbers)]
