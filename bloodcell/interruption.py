"""Requests to stop: SIGTERM, Ctrl-C, and the end of the process that waits for this one.

They are met at once, or where a model trains, as soon as the training is saved.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bloodcell.errors import StoppedError


class Interruption:
    """Whether this process was asked to stop.

    Outside `deferred` the process ends at once: what the store holds is whole at every moment.
    """

    def __init__(self) -> None:
        self._asked = False
        self._deferring = False
        self._parent = os.getppid()

    def listen(self) -> None:
        """Take signals from now on; for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):  # a terminal sends the second to all that it started
            signal.signal(number, self._on_signal)

    @property
    def requested(self) -> bool:
        """Whether to stop: on request, or because nobody waits any more, who was killed."""
        return self._asked or os.getppid() != self._parent

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Leave it to the block to look at `requested`, and to end by a StoppedError."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._asked:
            _exit()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._asked = True
        if not self._deferring:
            _exit()


def _exit() -> None:
    # No exception: raised in a library's finalizer it would be lost.
    os._exit(StoppedError.exit_code)
