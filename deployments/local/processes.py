"""The processes of a stack. They bear its mark in their environment, so that no file of process ids can be wrong.

A forked experiment's title is written over its environment: it is known by the mark of its parent.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from bloodcell.errors import TransientError

MARK = "BLOODCELL_STACK"
"""The variable that names the folder of the stack that a process is part of; what it starts inherits it."""

PREFECT_SERVER = "Prefect server"
WORKER = "worker"
S3_SERVER = "S3 server"
FLOW_RUN = "flow run"
"""A process that the worker started, or that one has."""

SERVERS = {PREFECT_SERVER: ("server", "start"), WORKER: ("worker", "start"), S3_SERVER: ("mini",)}
"""The servers of a stack, and the words by which the command line of each is known."""

_START_SECONDS = 180.0
"""Prefect's first start makes a database, which on a busy machine takes a minute."""


def running(folder: Path) -> dict[str, list[psutil.Process]]:
    """The stack's processes by what they are.

    Args:
        folder: The stack's.
    """
    found: dict[str, list[psutil.Process]] = {}
    processes = [
        process
        for process in psutil.process_iter(["ppid", "status", "environ", "cmdline"])
        if process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    marks = {process.pid: (process.info["environ"] or {}).get(MARK) for process in processes}
    for process in processes:
        mark = marks[process.pid] if process.info["environ"] else marks.get(process.info["ppid"])
        if mark == str(folder):
            found.setdefault(kind_of(process.info["cmdline"] or ()), []).append(process)
    return found


def kind_of(command: Iterable[str]) -> str:
    """What a process of the stack is, by its command line."""
    words = list(command)
    return next((kind for kind, some in SERVERS.items() if all(word in words for word in some)), FLOW_RUN)


def start(command: list[str], environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a server that outlives this process and its terminal.

    Args:
        command: Program and arguments.
        environment: All of its variables.
        log: File that what it prints is added to.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # A shell that is told to run `up` in the background has it ignore SIGINT, and an ignored signal is inherited:
    # the worker, which stops by sending itself one, would never stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )


def wait_until(ready: Callable[[], bool], server: "subprocess.Popen[bytes]", kind: str, log: Path) -> None:
    """Wait until a server that was started is ready.

    Args:
        ready: Asks it.
        server: Its process.
        kind: What it is, for the message.
        log: Its log, for the message.

    Raises:
        TransientError: It ended, or was not ready in time. It is stopped.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            stop([psutil.Process(server.pid)] if server.poll() is None else [])
            lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
            raise TransientError(f"the {kind} did not start: {last.strip()}", remedy=f"look at {log}, and try again")
        time.sleep(0.2)


def stop(processes: Iterable[psutil.Process], grace: float = 10.0) -> None:
    """End processes: SIGTERM, and SIGKILL for those that live on.

    Args:
        processes: Which; psutil sees to it that none is another with the same id.
        grace: Seconds between the two signals; none for SIGKILL at once.
    """
    living = list(processes)
    if grace:
        living = _signalled(living, psutil.Process.terminate, grace)
    _signalled(living, psutil.Process.kill, grace=10.0)


def _signalled(
    processes: list[psutil.Process], send: Callable[[psutil.Process], None], grace: float
) -> list[psutil.Process]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            send(process)
    return psutil.wait_procs(processes, timeout=grace)[1]
