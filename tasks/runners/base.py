"""The contract of a runner, and what an exit code means."""

import re
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bloodcell.errors import BloodcellError, ConfigError, DataError, StoppedError, TransientError
from bloodcell.events import Event, Failure, parse
from bloodcell.formatting import shortened
from bloodcell.printable import printable, without_sequences
from bloodcell.redaction import redacted

_TAIL_LINES = 20

_BANNERS = re.compile(
    r"WARNING: All log messages before absl::InitializeLog|I0000 .*\] oneDNN custom operations are on"
)
"""What TensorFlow prints at every start, whatever its log level, that oneDNN is on: no news, and on each machine."""

_LONGEST_LINE = 4000
"""Characters of a log line that are kept."""


@dataclass(frozen=True)
class GridRunId:
    """The grid run that a runner runs experiments for, as their labels name it."""

    grid: str
    run_id: str
    flow_run_id: str


@dataclass(frozen=True)
class Exit:
    """How a run of an experiment ended.

    Attributes:
        code: The exit code; minus the signal's number where a signal ended it.
        failure: What the experiment said was wrong, if it did.
        tail: Last lines of its log that were not events.
    """

    code: int
    failure: Failure | None = None
    tail: Sequence[str] = ()


class Runner(Protocol):
    """Runs experiments whose config.json is in the store. Its methods may be called from several threads at once."""

    def prepare(self, on_log: Callable[[str], None]) -> None:
        """Clear away what a killed grid run left, and see that an experiment could start.

        Args:
            on_log: Called with what was cleared away.

        Raises:
            BloodcellError: None could, and why.
        """

    def run(self, key: str, name: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Run an experiment and wait for its end. However this call ends, the experiment runs no more.

        Args:
            key: The experiment.
            name: Its row's name in the grid, with its seed where there are several.
            on_event: Called with each progress event.
            on_log: Called with each other line the experiment prints.

        Raises:
            BloodcellError: It could not be run, or not be followed to its end.
        """

    def stop(self) -> None:
        """Stop what runs, SIGTERM first, and start nothing more: each `run` ends soon. May be called twice."""


class Transcript:
    """What an experiment prints, line by line: events go one way, all else another.

    Args:
        on_event: Called with each progress event.
        on_log: Called with each other line.
    """

    def __init__(self, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> None:
        self._on_event = on_event
        self._on_log = on_log
        self._failure: Failure | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def add(self, line: str) -> None:
        """Take the next line; a library or a traceback may have put a credential of this process into it."""
        event = parse(line := redacted(line))
        if isinstance(event, Failure):
            self._failure = event
        elif event is not None:
            self._on_event(event)
        elif not _BANNERS.match(line) and (text := _shown(line)):
            # A library may colour its lines, or log what a file told it.
            self._tail.append(text)
            self._on_log(text)

    @property
    def tail(self) -> Sequence[str]:
        """The last lines that were not events."""
        return tuple(self._tail)

    def exit(self, code: int) -> Exit:
        """How the experiment ended, given its exit code."""
        return Exit(code, self._failure, self.tail)


def _shown(line: str) -> str:
    return printable(without_sequences(shortened(line.rstrip(), _LONGEST_LINE)))


def stopped() -> StoppedError:
    """The error of an experiment that was asked to stop, or never started for that reason."""
    return StoppedError("the experiment was stopped before its end", remedy="run again; finished experiments are kept")


def stopped_from_outside() -> BloodcellError:
    """The error of an experiment that was asked to stop by nobody of this grid run: by a host that goes down, say."""
    return TransientError(
        "the experiment was stopped from outside; its training is saved", remedy="run again: it goes on from there"
    )


def hung(seconds: float, tail: Sequence[str]) -> BloodcellError:
    """The error of an experiment that said nothing for too long.

    Args:
        seconds: How long that is.
        tail: Last lines of its log.
    """
    last = f"; its last line: {tail[-1]}" if tail else ""
    return TransientError(
        f"the experiment said nothing for {seconds:.0f} s, was taken for hung, and stopped{last}",
        remedy="run again: it goes on from its last checkpoint; raise BLOODCELL_STALL_LIMIT where a step takes longer",
    )


def over_time(limit: float) -> BloodcellError:
    """The error of an experiment that ran longer than it may."""
    return ConfigError(
        f"the experiment ran longer than the {limit:.0f} s that it may, and was stopped",
        remedy="raise BLOODCELL_TIME_LIMIT, or lower epochs",
    )


def error_of(exit_: Exit) -> BloodcellError | None:
    """The error that an exit stands for; None for success.

    The class tells whether to try again: of those it returns, TransientError alone is worth it.
    """
    if exit_.code == 0:
        return None
    classes: dict[int, type[BloodcellError]] = {
        kind.exit_code: kind for kind in (DataError, ConfigError, TransientError)
    }
    error = classes.get(exit_.code, BloodcellError)
    if exit_.failure is not None:
        return error(exit_.failure.problem, remedy=exit_.failure.remedy)
    if exit_.code in (StoppedError.exit_code, -signal.SIGTERM):
        return stopped_from_outside()
    if exit_.code < 0:
        return _killed(-exit_.code)
    return error(
        f"the experiment ended with exit code {exit_.code}: {exit_.tail[-1] if exit_.tail else 'it printed nothing'}",
        remedy="read its log above; if nothing there is wrong with your data or configuration, report it as a bug",
    )


def _killed(number: int) -> BloodcellError:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return TransientError(
            f"the experiment was killed by {name}, most often because memory ran out",
            remedy="run again: it goes on from its last checkpoint; where it is killed again, lower batch_size, "
            "image_size or BLOODCELL_SLOTS",
        )
    return BloodcellError(f"the experiment was ended by {name}", remedy="run again; finished experiments are kept")
