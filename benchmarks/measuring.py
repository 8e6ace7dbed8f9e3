"""What work costs: its seconds, and the memory of the process that does it, seen from outside."""

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import click
import psutil

_SPAWN = multiprocessing.get_context("spawn")
"""A forked child would inherit this process's memory."""

_SAMPLING = 0.01  # seconds between two looks at a child's memory


@dataclass(frozen=True)
class Cost:
    """What some work cost.

    Attributes:
        seconds: Wall-clock.
        memory: Peak resident bytes of its process, without the pages of mapped files, which the kernel takes back
            whenever another needs them. Seen every 10 ms from outside.
    """

    seconds: float
    memory: int


def in_child(prepare: Callable[..., Callable[[], object]], *arguments: object) -> Cost:
    """Do some work in a fresh process.

    Args:
        prepare: Called there; it imports and reads what is needed, and returns the work, which alone is timed. A
            function of a module.
        *arguments: What it is called with.

    Raises:
        ChildProcessError: The child failed; its traceback is on stderr.
    """
    ours, theirs = _SPAWN.Pipe()
    child = _SPAWN.Process(target=_timed, args=(theirs, prepare, arguments))
    child.start()
    theirs.close()
    memory = _peak(child.pid or 0, ours.poll)
    try:
        seconds: float = ours.recv()
    except EOFError as error:
        child.join()
        raise ChildProcessError(f"{prepare.__name__} failed with exit code {child.exitcode}, see above") from error
    child.join()
    return Cost(seconds, memory)


def _timed(connection: Connection, prepare: Callable[..., Callable[[], object]], arguments: Sequence[Any]) -> None:
    work = prepare(*arguments)
    started = time.perf_counter()
    work()
    connection.send(time.perf_counter() - started)


def run_command(arguments: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run this interpreter with `arguments` to its end, silently; the cost is of that process, not of its children.

    It keeps what it compiled of this project's modules, as Python does unless it is told otherwise.

    Raises:
        CalledProcessError: It failed; what it wrote is printed.
    """
    command = [sys.executable, *arguments]
    environment = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as written:
        started = time.perf_counter()
        with subprocess.Popen(command, env=environment, stdout=written, stderr=subprocess.STDOUT) as child:

            def has_ended(timeout: float) -> bool:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(timeout)
                return child.returncode is not None

            memory = _peak(child.pid, has_ended)
        seconds = time.perf_counter() - started
        if child.returncode:
            written.seek(0)
            click.echo(written.read(), err=True)
            raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(seconds, memory)


def _peak(pid: int, is_done: Callable[[float], bool]) -> int:
    """Peak memory of a process and its children in bytes, until `is_done`, called with the seconds it may wait."""
    process, peak = psutil.Process(pid), 0
    while not is_done(_SAMPLING):
        with suppress(psutil.Error):  # one has just ended
            peak = max(peak, sum(map(_own_memory, [process, *process.children(recursive=True)])))
    return peak


def _own_memory(process: psutil.Process) -> int:
    memory = process.memory_info()
    own: int = memory.rss - getattr(memory, "shared", 0)  # macOS does not tell
    return own
