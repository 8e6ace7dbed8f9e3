"""Requests to stop: SIGTERM, Ctrl-C, a terminal that closes, and the end of the process that waits for this one.

They are met at once, or where a model trains, as soon as the training is saved.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bloodcell.errors import StoppedError


def requests_to_stop() -> tuple[signal.Signals, ...]:
    """The signals that ask a process to stop.

    A terminal sends the last two to all that it started: Ctrl-C, and its own end, which nohup has them ignore.
    """
    ends = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *ends)


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Have Ctrl-C end this process in the block, without a traceback of the import or the look that it interrupts."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # where it is ignored, it stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Interruption:
    """Whether this process was asked to stop.

    Outside `deferred` a signal ends the process at once: what the store holds is whole at every moment.
    """

    def __init__(self) -> None:
        self._asked = False
        self._deferring = False
        self._parent = os.getppid()
        self._orphaned_since: float | None = None

    def listen(self) -> None:
        """Take signals from now on; for the main thread."""
        for number in requests_to_stop():
            signal.signal(number, self._on_signal)

    @property
    def requested(self) -> bool:
        """Whether to stop: on request, or because nobody waits any more, who was killed."""
        return self._asked or os.getppid() != self._parent

    @property
    def orphaned_for(self) -> float:
        """Seconds since it was first seen here that nobody waits any more; 0 while somebody does."""
        if os.getppid() == self._parent:
            return 0.0
        now = time.monotonic()
        self._orphaned_since = self._orphaned_since or now
        return now - self._orphaned_since

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Leave it to the block to look at `requested`, and to end by a StoppedError."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._asked:
            self.end()

    def end(self) -> None:
        """End this process, whatever its threads are at."""
        # No exception: raised in a library's finalizer it would be lost.
        os._exit(StoppedError.exit_code)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._asked = True
        if not self._deferring:
            self.end()
