"""Who started a container, and whether that process still lives: how an orphan is told from another's experiment."""

import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil
from pydantic import Field

from bloodcell.process_identity import boot, process_namespace, started_at_ticks
from bloodcell.values import Frozen

_CLOCK_SECONDS = 2.0
"""How much earlier than its container a process may seem to start: the two are read off different clocks."""


class Owner(Frozen):
    """A process, so that another on the same engine can see whether it lives; the label bloodcell.owner."""

    host: str = Field(description="Host name; in a container by default the short id of that container.")
    boot: str = Field(description="Id of the machine's boot; empty where the system does not tell.")
    namespace: str = Field(description="Process-id namespace; empty where the system does not tell.")
    contained: bool = Field(description="Whether the process runs in a container.")
    pid: int
    started: float = Field(description="Start of the process, in seconds of Unix time.")
    ticks: float = Field(description="Start of the process by a clock that nobody sets, where the system has one.")

    @classmethod
    def this_process(cls, container_started: Callable[[str], float | None] = lambda _: None) -> Self:
        """The running process.

        Args:
            container_started: As for `is_alive`. A process in a container counts as contained where the engine knows
                that container; else, in another engine's or under a name of its own, nothing could be told of it.
        """
        host = socket.gethostname()
        return cls(
            host=host,
            boot=boot(),
            namespace=process_namespace(),
            contained=Path("/.dockerenv").exists() and container_started(host) is not None,
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            ticks=started_at_ticks(os.getpid()) or 0.0,
        )

    def is_alive(self, container_started: Callable[[str], float | None]) -> bool:
        """Whether the process lives; where that cannot be told from here, it counts as alive.

        Args:
            container_started: When a container of the engine started, in seconds of Unix time; None if it does not run.
        """
        if (self.host, self.boot, self.namespace) == (socket.gethostname(), boot(), process_namespace()):
            return started_at_ticks(self.pid) in (self.ticks, math.inf)
        if self.contained:
            started_at = container_started(self.host)
            return started_at is not None and started_at < self.started + _CLOCK_SECONDS  # not restarted since
        return self.host != socket.gethostname() or self.boot == boot()
