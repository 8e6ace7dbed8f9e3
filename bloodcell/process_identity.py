"""What tells one process from every other, so that another on the machine can see whether it lives."""

import math
import os
from pathlib import Path

import psutil


def started_at_ticks(pid: int) -> float | None:
    """When a living process started, by a clock that nobody sets, where the system has one.

    None where there is none, infinity where one may not be looked at.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else float(fields[19])
    except OSError:  # none, or another user's where /proc hides those, or not Linux
        try:
            os.kill(pid, 0)
            return psutil.Process(pid).create_time()
        except (ProcessLookupError, psutil.NoSuchProcess):
            return None
        except PermissionError:
            return math.inf


def boot() -> str:
    """Id of the machine's boot; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""


def process_namespace() -> str:
    """The process-id namespace, which a container has of its own; empty where the system does not tell."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        return ""
