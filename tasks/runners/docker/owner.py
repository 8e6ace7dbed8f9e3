"""Who started a container, and whether that process still lives: how an orphan is told from another's experiment."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil
from pydantic import Field

from bloodcell.values import Frozen

_CLOCK_SECONDS = 2.0
"""How far two readings of one process's start may differ: the clock is set meanwhile."""


class Owner(Frozen):
    """A process, so that another on the same engine can see whether it lives; the label bloodcell.owner."""

    host: str = Field(description="Host name; in a container by default the short id of that container.")
    boot: str = Field(description="Id of the machine's boot; empty where the system does not tell.")
    namespace: str = Field(description="Process-id namespace; empty where the system does not tell.")
    contained: bool = Field(description="Whether the process runs in a container.")
    pid: int
    started: float = Field(description="Start of the process, in seconds of Unix time.")

    @classmethod
    def this_process(cls) -> Self:
        """The running process."""
        return cls(
            host=socket.gethostname(),
            boot=_boot(),
            namespace=_namespace(),
            contained=Path("/.dockerenv").exists(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
        )

    def is_alive(self, container_started: Callable[[str], float | None]) -> bool:
        """Whether the process lives; where that cannot be told from here, it counts as alive.

        Args:
            container_started: When a container of the engine started, in seconds of Unix time; None if it does not run.
        """
        if (self.host, self.boot, self.namespace) == (socket.gethostname(), _boot(), _namespace()):
            try:
                started = psutil.Process(self.pid).create_time()
            except psutil.NoSuchProcess:
                return False
            return abs(started - self.started) < _CLOCK_SECONDS
        if self.contained:
            started_at = container_started(self.host)
            return started_at is not None and started_at < self.started + _CLOCK_SECONDS  # not restarted since
        return self.host != socket.gethostname() or self.boot == _boot()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        return ""
