"""An experiment as a child process of this machine: the embedded default."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping

from bloodcell.events import Event, Failure, parse
from bloodcell.settings import Settings
from tasks.runners.base import Exit

_TAIL_LINES = 20


def command(key: str) -> list[str]:
    """The command that runs the experiment under `key` with this interpreter."""
    return [sys.executable, "-m", "bloodcell", "run", "--key", key]


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
        # TensorFlow's banners would drown the progress lines; a user's own choice stands.
        "TF_CPP_MIN_LOG_LEVEL": inherited.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "PYTHONUNBUFFERED": "1",
    }


class ProcessRunner:
    """Runs each experiment in a process of its own, so that none inherits another's memory or graph.

    Args:
        settings: Where things are, for the child.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def run(self, key: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Start the child, pass its lines on, and wait. However this call ends, the child has ended before."""
        failure: Failure | None = None
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with subprocess.Popen(
            command(key),
            env=child_environment(self._settings, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as child:
            try:
                for line in child.stdout or ():
                    event = parse(line)
                    if isinstance(event, Failure):
                        failure = event
                    elif event is not None:
                        on_event(event)
                    elif text := line.rstrip():
                        tail.append(text)
                        on_log(text)
            except BaseException:
                child.terminate()
                raise
        return Exit(child.returncode, failure, tuple(tail))
