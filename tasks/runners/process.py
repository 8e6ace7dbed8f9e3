"""An experiment as a child process of this machine: the embedded default."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from threading import Lock, RLock

from bloodcell.events import Event
from bloodcell.settings import Settings
from bloodcell.shapes import ModelShape
from tasks.runners.base import Exit, Transcript, hung, stopped
from tasks.runners.forked import ForkedChild, ForkServer
from tasks.runners.watchdog import Watchdog

BLOODCELL = [sys.executable, "-m", "bloodcell"]
"""The command `bloodcell` with this interpreter."""

FORKS = sys.platform == "linux"
"""Whether experiments are forked from a process that has imported TensorFlow."""

Child = subprocess.Popen[str] | ForkedChild


def command(key: str) -> list[str]:
    """The command that runs the experiment under `key`."""
    return [*BLOODCELL, "run", "--key", key]


def measuring_command(shape: ModelShape) -> list[str]:
    """The command that trains a model of that shape, and tells how fast, until it is stopped."""
    return [*BLOODCELL, "measure", "--shape", shape.model_dump_json()]


def child_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The child's variables: those inherited, with this process's settings made explicit.

    Args:
        settings: Where things are.
        inherited: Variables to start from.
    """
    return dict(inherited) | {
        "BLOODCELL_STORE": settings.store,
        "BLOODCELL_CACHE": str(settings.cache),
        "BLOODCELL_SLOTS": str(settings.slots),
        "BLOODCELL_THREADS": str(settings.threads_per_experiment),
        "BLOODCELL_CHECKPOINT_MINUTES": str(settings.checkpoint_minutes),
        "BLOODCELL_LEASE": str(settings.lease),
        # TensorFlow's banners would drown the progress lines; a user's own choice stands.
        "TF_CPP_MIN_LOG_LEVEL": inherited.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "PYTHONUNBUFFERED": "1",
    }


def end(child: Child, grace: float) -> None:
    """Send SIGTERM to a child, and SIGKILL once `grace` seconds are over."""
    child.terminate()
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        child.kill()


def warm_up(settings: Settings) -> None:
    """Have TensorFlow imported, which takes seconds, for what runners of this process will start later.

    Args:
        settings: Where things are, for the children.
    """
    _fork_server(child_environment(settings, os.environ))


def wait_until_warm(patience: float) -> None:
    """Wait until nothing is imported any more for what runners of this process will start, `patience` seconds at most.

    What measures the machine is not to measure that.
    """
    for server in tuple(_servers):
        server.wait(patience)


class ProcessRunner:
    """Runs each experiment in a process of its own, so that none inherits another's memory or graph.

    Args:
        settings: Where things are, for the child.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = RLock()  # Ctrl-C's handler may stop what its own thread is about to stop
        self._children: set[Child] = set()
        self._stopping = False

    def prepare(self, on_log: Callable[[str], None]) -> None:
        """Nothing to do: this interpreter is all that a child needs."""

    def run(self, key: str, name: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:  # noqa: ARG002
        """Start the child, pass its lines on, and wait. However this call ends, the child has ended before."""
        return self._follow(command(key), on_event, on_log)

    def measure(self, shape: ModelShape, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Train a model of that shape as `run` would, and pass on how fast it is, until `stop` ends it.

        Raises:
            StoppedError: It was stopped: what is measured has no end of its own.
        """
        return self._follow(measuring_command(shape), on_event, on_log)

    def _follow(self, command: list[str], on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        transcript = Transcript(on_event, on_log)
        grace, limit = self._settings.grace, self._settings.stall_limit
        with self._start(command) as child, Watchdog(limit, lambda: end(child, grace)) as watchdog:
            try:
                for line in child.stdout or ():
                    watchdog.hear()
                    transcript.add(line)
                    watchdog.hear()  # what listens may be slow: a Prefect server that is away
            except BaseException:
                end(child, grace)
                raise
            finally:
                with self._lock:
                    self._children.remove(child)
        if child.returncode and self._stopping:
            raise stopped()
        ended = transcript.exit(child.wait())
        if child.returncode and watchdog.barked:
            raise hung(limit, ended.tail)
        return ended

    def stop(self) -> None:
        """End the children: SIGTERM, and SIGKILL after the grace time."""
        with self._lock:
            self._stopping = True
            children = tuple(self._children)
        for child in children:
            child.terminate()
        deadline = time.monotonic() + self._settings.grace
        for child in children:
            end(child, max(0.0, deadline - time.monotonic()))

    def _start(self, command: list[str]) -> Child:
        environment = child_environment(self._settings, os.environ)
        forked = _forked(command, environment, lambda: self._stopping, self._settings.stall_limit)
        with self._lock:  # so that `stop` sees the child, or the child never starts
            if not self._stopping:
                child = forked or subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
                self._children.add(child)
                return child
        if forked:
            with forked:
                end(forked, self._settings.grace)
        raise stopped()


_servers: list[ForkServer] = []
"""The fork server of this process, if it has one."""

_serving = Lock()


def _forked(
    command: list[str], environment: Mapping[str, str], is_off: Callable[[], bool], patience: float
) -> ForkedChild | None:
    """A child that has TensorFlow from the start; None where there can be none, and it has to import it."""
    if command[: len(BLOODCELL)] != BLOODCELL or not (server := _fork_server(environment)):
        return None
    return server.start(command[len(BLOODCELL) :], environment, is_off, patience=patience)


def _fork_server(environment: Mapping[str, str]) -> ForkServer | None:
    """What forks children with these variables, started where it is not there; None where it cannot be."""
    if not FORKS:
        return None
    with _serving:
        if not (_servers and _servers[0].serves(environment)):
            _servers[:] = [ForkServer(environment)]
        return _servers[0]
