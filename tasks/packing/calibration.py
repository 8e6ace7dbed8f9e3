"""Measure what is worth measuring of one shape, and remember it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil

from bloodcell.errors import BloodcellError, StoppedError
from bloodcell.settings import Settings, cpus
from bloodcell.shapes import ModelShape
from tasks.packing.choice import Measurement, fits, is_worth_measuring, splits
from tasks.packing.jobs import Job
from tasks.packing.measuring import MEASURED_SECONDS, measure
from tasks.packing.remembered import Machine, Remembered
from tasks.runners import ProcessRunner
from tasks.runners.process import wait_until_warm

_SLOWEST = 2e9
"""Multiply-adds a second that a core does at the least, where nothing was measured yet."""

_STARTUP_SECONDS = 10.0
"""How long a process takes to its first step, where nothing was measured yet."""

_BUSY = 25.0
"""Percent of all cores that other work takes, from which on a measurement would be of that too."""

_LOOKS, _LOOK_SECONDS = 4, 0.5
"""A machine is busy that is so at each look: a server's start is no work that stays."""


class Known(NamedTuple):
    """What is known of a shape: measurements with more and more slots, and the number at which one failed, if any."""

    measurements: list[Measurement]
    failed_at: int | None = None


@dataclass(frozen=True)
class Calibration:
    """How shapes are measured for a grid run.

    Attributes:
        settings: Where things are.
        start: Gives a runner, which can be stopped meanwhile.
        machine: This machine.
        jobs: How many jobs the grid run has, of all shapes.
        available: Bytes of memory that the machine has for them.
        log: Called with what is measured and what came of it.
    """

    settings: Settings
    start: Callable[[Settings], ProcessRunner]
    machine: Machine
    jobs: int
    available: int
    log: Callable[[str], None]

    def known(self, jobs: Sequence[Job]) -> Known:
        """What is known of a shape, after what is worth measuring was: one slot first, then more while that helps.

        Args:
            jobs: Those of the shape; at least one.
        """
        remembered = Remembered(self.settings.cache, self.machine, jobs[0].shape)
        known: list[Measurement] = []
        numbers = splits(cpus(), self.jobs)
        for place, slots in enumerate(numbers):
            settings = self.settings.model_copy(update={"slots": slots})
            found = remembered.find(slots, settings.threads_per_experiment)
            if found is None and self._is_worth_it(jobs, known, len(numbers) - place, settings):
                try:
                    found = self._measured(remembered, settings)
                except StoppedError:
                    raise
                except (BloodcellError, OSError) as error:  # the experiments run all the same
                    what = packed(slots, settings.threads_per_experiment)
                    self.log(f"{remembered.shape}: the throughput of {what} could not be measured: {error}")
                    return Known(known, failed_at=slots)
            if found is None:
                break
            slower = bool(known) and found.images_per_second < known[-1].images_per_second
            known.append(found)
            if slower:  # and more at once will be slower still
                break
        return Known(known)

    def _is_worth_it(self, jobs: Sequence[Job], known: Sequence[Measurement], left: int, settings: Settings) -> bool:
        """Whether the next number of slots is to be measured, `left` of them being open; says why not."""
        shape, slots, threads = jobs[0].shape, settings.concurrent, settings.threads_per_experiment
        last = known[-1] if known else _guess(jobs[0])
        cost_seconds = left * (last.startup_seconds + MEASURED_SECONDS)
        if not is_worth_measuring(jobs, last, cost_seconds):
            self.log(f"{shape}: not measured with {packed(slots, threads)}, as too little is to be trained")
            return False
        if not fits(slots, last.memory, self.available):
            held, free = last.memory / 2**30, self.available / 2**30
            self.log(f"{shape}: {held:.1f} GiB were held in training, of {free:.1f} free: no room for {slots} at once")
            return False
        return True

    def _measured(self, remembered: Remembered, settings: Settings) -> Measurement | None:
        """The throughput with so many slots; None where other work would be measured too."""
        shape, slots, threads = remembered.shape, settings.concurrent, settings.threads_per_experiment
        with remembered.alone(lambda: self.log(f"{shape}: waiting for another grid run, which measures")):
            if found := remembered.find(slots, threads):  # by the one that this one has waited for
                return found
            if self._is_busy(shape):
                return None
            self.log(f"{shape}: measuring the throughput of {packed(slots, threads)}")
            made = measure(shape, settings, self.start)
            remembered.keep(made)
        self.log(f"{shape}: {packed(slots, threads)}: {made.images_per_second:.0f} images/s")
        return made

    def _is_busy(self, shape: ModelShape) -> bool:
        """Whether other work would be measured too; says so."""
        wait_until_warm(self.settings.stall_limit)
        for _ in range(_LOOKS):
            if (taken := psutil.cpu_percent(_LOOK_SECONDS)) <= _BUSY:
                return False
        self.log(
            f"{shape}: not measured, as other work takes {taken:.0f}% of the cores and would be measured too; "
            "BLOODCELL_SLOTS sets how many experiments run at once"
        )
        return True


def packed(slots: int, threads: int) -> str:
    """So many experiments at once, in words."""
    each = f"{threads} thread{'' if threads == 1 else 's'}"
    return f"1 experiment at a time, {each}" if slots == 1 else f"{slots} experiments at once, {each} each"


def _guess(job: Job) -> Measurement:
    """How fast one experiment after another trains, as far as is known without a measurement."""
    rate = cpus() * _SLOWEST / job.cost
    return Measurement(slots=1, threads=1, images_per_second=rate, startup_seconds=_STARTUP_SECONDS, memory=0)
