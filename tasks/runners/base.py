"""The contract of a runner, and what an exit code means."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bloodcell.errors import BloodcellError, ConfigError, DataError, TransientError
from bloodcell.events import Event, Failure


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
    """Runs an experiment whose config.json is in the store, and waits for its end."""

    def run(self, key: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Run the experiment under `key`.

        Args:
            key: The experiment.
            on_event: Called with each progress event.
            on_log: Called with each other line the experiment prints.
        """


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
    if exit_.code < 0:
        return _killed(-exit_.code)
    return error(
        f"the experiment ended with exit code {exit_.code}: {exit_.tail[-1] if exit_.tail else 'it printed nothing'}",
        remedy="read its log above; if nothing there is wrong with your data or configuration, report it as a bug",
    )


def _killed(number: int) -> BloodcellError:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        return BloodcellError(
            f"the experiment was killed by {name}, most often because memory ran out",
            remedy="lower batch_size, image_size or BLOODCELL_SLOTS, then run again",
        )
    return BloodcellError(f"the experiment was ended by {name}", remedy="run again; finished experiments are kept")
