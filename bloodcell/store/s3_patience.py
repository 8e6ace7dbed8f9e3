"""When a store tries again, beyond botocore's own attempts, which are over in a second unless the server is silent."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from bloodcell.errors import CorruptObjectError, ObjectNotFoundError, TransientError

PATIENCE = 60.0
"""Seconds after which nothing is tried again: a server restarts, and a network comes back, in less."""

_FETCHES = 3
"""Times that an object's bytes are fetched before they count as damaged where they lie, not on their way."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
"""Seconds between two tries; each wait is twice the one before."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Patience:
    """Tries again what may pass, where the bucket is known to have been there.

    A bucket that nobody has seen yet is one that nobody can wait for: its name or its server is more likely wrong than
    it is to appear, and whoever typed them is to be told at once. One that was there comes back.

    Args:
        seconds: How long after the first try another may begin.
        seen: Whether the bucket is known to have been there.
    """

    def __init__(self, seconds: float, *, seen: bool) -> None:
        self._seconds = seconds
        self.seen = seen

    def attempt(self, action: Callable[[], T]) -> T:
        """What `action` returns, at the first try that does not fail for a reason that may pass.

        Raises:
            TransientError: The last try's, once the time is over.
            CorruptObjectError: The bytes were others at each of three tries.
        """
        deadline = time.monotonic() + self._seconds
        wait, fetches = _FIRST_WAIT, 0
        while True:
            try:
                result = action()
            except ObjectNotFoundError:
                self.seen = True  # the bucket answers for what it lacks
                raise
            except CorruptObjectError:
                fetches += 1
                if fetches == _FETCHES:
                    raise
            except TransientError as error:
                # Not all at the same moment: many experiments lost the same server.
                pause = wait * random.uniform(0.5, 1)  # noqa: S311 - no secret
                left = deadline - time.monotonic() - pause
                if not self.seen or left < 0:
                    raise
                _log.warning("%s; trying again, for %.0f s at most", error.problem, left)
                time.sleep(pause)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                self.seen = True
                return result
