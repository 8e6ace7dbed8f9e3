"""Follow many flow runs at the price of one: whoever waits reads for all that wait."""

import time
from threading import Lock
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from bloodcell.errors import TransientError
from tasks.runners.work_pool.api import read_runs

_PATIENCE_SECONDS = 600.0
"""How long the server may be silent: a restart, or a migration of its database, takes less. The experiments go on."""


class Watch:
    """The flow runs that threads wait for, as the server had them at most `seconds` ago.

    The first thread to find them older reads all in one request, so their number costs nothing; two hundred are a page.

    Args:
        seconds: How old they may be.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._runs: dict[UUID, FlowRun | None] = {}
        self._asked = self._answered = time.monotonic()

    def add(self, run: FlowRun) -> None:
        """Begin to follow a flow run."""
        with self._lock:
            self._runs[run.id] = run

    def remove(self, run: FlowRun) -> None:
        """Follow it no more."""
        with self._lock:
            self._runs.pop(run.id, None)

    def now(self, run: FlowRun) -> FlowRun | None:
        """The flow run as it is now; None where somebody deleted it.

        Raises:
            TransientError: The server has not answered for ten minutes.
            BloodcellError: It refuses to.
        """
        with self._lock:
            if time.monotonic() - self._asked >= self._seconds:
                self._read()
            return self._runs[run.id]

    def _read(self) -> None:
        try:
            read = read_runs(list(self._runs))
        except TransientError:
            if time.monotonic() - self._answered > _PATIENCE_SECONDS:
                raise
        else:
            self._runs = {id_: read.get(id_) for id_ in self._runs}
            self._answered = time.monotonic()
        finally:
            self._asked = time.monotonic()
