"""Measure how fast models of one shape train in several processes at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from statistics import fmean

from bloodcell.errors import BloodcellError, TransientError
from bloodcell.events import Event, Window
from bloodcell.settings import Settings
from bloodcell.shapes import ModelShape
from tasks.packing.choice import Measurement
from tasks.runners import ProcessRunner
from tasks.runners.base import error_of

MEASURED_SECONDS = 4.0
"""How long all processes are to train at the same time."""

_PATIENCE_SECONDS = 300.0
_POLL_SECONDS = 0.2


def measure(
    shape: ModelShape, settings: Settings, start: Callable[[Settings], ProcessRunner], seconds: float = MEASURED_SECONDS
) -> Measurement:
    """Have processes train until all have done so at the same time for long enough.

    However this call ends, none of them runs after it.

    Args:
        shape: What they train.
        settings: `slots`, a number here, says how many there are.
        start: Gives the runner that starts them, and can be stopped meanwhile.
        seconds: How long all are to train at the same time.

    Raises:
        BloodcellError: One of them failed, or they took too long.
    """
    slots = settings.concurrent
    windows: list[list[Window]] = [[] for _ in range(slots)]
    runner = start(settings)
    began = time.monotonic()
    with ThreadPoolExecutor(slots) as pool:
        try:
            ends = [pool.submit(runner.measure, shape, partial(_keep, own), _drop) for own in windows]
            while (rate := rate_together(windows, seconds)) is None:
                for end in wait(ends, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED).done:
                    raise error_of(end.result()) or BloodcellError("a process ended by itself", remedy="run again")
                if time.monotonic() - began > _PATIENCE_SECONDS:
                    raise _too_slow()
        finally:
            runner.stop()
    return Measurement(
        slots=slots,
        threads=settings.threads_per_experiment,
        images_per_second=rate,
        startup_seconds=fmean(own[0].began - began for own in windows),
        memory=max(own[-1].memory for own in windows),
    )


def rate_together(windows: Sequence[Sequence[Window]], seconds: float) -> float | None:
    """Images a second of all processes together; None while they have not all trained for long enough.

    Counted are the windows that lie within the time in which all trained: one that starts later, or measures on while
    another has ended, is not to make the others look faster.

    Args:
        windows: Those of each process, in order and without gaps.
        seconds: How long all must have trained at the same time.
    """
    if not all(windows):
        return None
    began = max(own[0].began for own in windows)
    ended = min(own[-1].ended for own in windows)
    counted = [[each for each in own if began <= each.began and each.ended <= ended] for own in windows]
    if ended - began < seconds or not all(counted):
        return None
    return sum(sum(each.images for each in own) / sum(each.ended - each.began for each in own) for own in counted)


def _keep(windows: list[Window], event: Event) -> None:
    if isinstance(event, Window):
        windows.append(event)


def _drop(line: str) -> None:
    """What TensorFlow prints at its start is of no use here; a failure's last lines are with its exit."""


def _too_slow() -> TransientError:
    return TransientError(
        f"the processes did not train side by side within {_PATIENCE_SECONDS:.0f} s",
        remedy="set BLOODCELL_SLOTS to a number, or run on a machine that is less busy",
    )
