"""How long an experiment may run, and how long it may be silent."""

import math
from collections.abc import Sequence
from time import monotonic

from bloodcell.errors import BloodcellError
from bloodcell.settings import Settings
from tasks.runners.base import hung, over_time


class Deadlines:
    """Of one experiment, which starts now.

    Args:
        settings: Where the two limits are.
    """

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.time_limit or math.inf
        self._silence = settings.stall_limit
        self._began = self._heard = monotonic()

    def hear(self) -> None:
        """It said something."""
        self._heard = monotonic()

    def passed(self, tail: Sequence[str]) -> BloodcellError | None:
        """The error of an experiment that is to be stopped now; None where it is in time.

        Args:
            tail: Last lines of its log.
        """
        now = monotonic()
        if now - self._began > self._limit:
            return over_time(self._limit)
        return hung(self._silence, tail) if now - self._heard > self._silence else None
