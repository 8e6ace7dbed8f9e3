"""Notice that an experiment has fallen silent."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Self


class Watchdog:
    """Calls `bark` once where nothing was heard for so long; to be used as a context, which ends the watch.

    Args:
        seconds: How long silence is borne.
        bark: Called in a thread of its own.

    Attributes:
        barked: Whether it was.
    """

    def __init__(self, seconds: float, bark: Callable[[], None]) -> None:
        self.barked = False
        self._seconds = seconds
        self._bark = bark
        self._heard = monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)

    def hear(self) -> None:
        """Something was heard."""
        self._heard = monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(max(0.0, self._heard + self._seconds - monotonic())):
            if monotonic() - self._heard >= self._seconds:
                self.barked = True
                self._bark()
                return
