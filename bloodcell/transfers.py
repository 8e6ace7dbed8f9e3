"""Long transfers as progress events, so that whoever watches an experiment sees that it moves."""

import time
from collections.abc import Callable

from bloodcell.events import Step, emit

_MEGABYTE = 10**6


class TransferSteps:
    """Emits a step every so often while an object travels; nothing for one that is through before the first is due.

    Args:
        every: Seconds between two steps.
        now: The clock, in seconds.
    """

    def __init__(self, every: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._now = now
        self._due: dict[str, float] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """Take note of progress, as a store's `progress`."""
        now = self._now()
        if now >= self._due.setdefault(name, now + self._every):
            self._due[name] = now + self._every
            emit(Step(message=f"{name}: {done // _MEGABYTE} of {total // _MEGABYTE} MB"))
        if done >= total:
            del self._due[name]
