"""Who holds a lease, and whether that process is known to have ended."""

import os
import socket
from uuid import uuid4

from pydantic import Field

from bloodcell.process_identity import boot, process_namespace, started_at_ticks
from bloodcell.values import Frozen


class Holder(Frozen):
    """Who holds a lease: the object experiments/<key>/leases/<number>.json."""

    id: str
    host: str = Field(description="Name of its machine or container.")
    processes: str = Field(description="What tells its process ids from those of another boot or container; or empty.")
    process: int = Field(description="Its process id.")
    ticks: float | None = Field(description="When that process started, by a clock of its machine that nobody sets.")
    renewals: int = 0
    given_back: bool = False

    @classmethod
    def this_process(cls) -> "Holder":
        """A new holder."""
        return cls(
            id=uuid4().hex,
            host=socket.gethostname(),
            processes=_processes(),
            process=os.getpid(),
            ticks=started_at_ticks(os.getpid()),
        )

    @property
    def is_free(self) -> bool:
        """Whether it was given back, or its process is known to have ended; of another machine's nothing is known."""
        here = bool(self.processes) and self.processes == _processes()
        return self.given_back or (here and started_at_ticks(self.process) not in (self.ticks, float("inf")))


def _processes() -> str:
    return f"{boot()} {process_namespace()}" if boot() and process_namespace() else ""
