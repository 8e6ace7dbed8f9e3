"""How many experiments to run at once, from what was measured. Nothing here acts."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from bloodcell.shapes import ModelShape
from bloodcell.values import Frozen
from tasks.packing.jobs import Job

MEMORY_MARGIN = 1.25
"""What an experiment may hold at its peak, of what its model holds in training: it evaluates and draws, too."""

_LARGEST_SAVING = 0.5
"""Share of the time that packing may save: on two cores a small MobileNet takes 0.53 of the time."""


class Measurement(Frozen):
    """How fast a model of one shape trained, in several processes at once."""

    slots: int = Field(ge=1, description="Processes that trained at once.")
    threads: int = Field(ge=1, description="CPU threads of each.")
    images_per_second: float = Field(gt=0, description="Of all processes together.")
    startup_seconds: float = Field(ge=0, description="From the start of a process to the end of its first step, mean.")
    memory: int = Field(ge=0, description="The most that one of them held, in bytes.")

    def seconds(self, images: float) -> float:
        """What an experiment takes that trains on so many images, beside others like it."""
        return self.startup_seconds + images * self.slots / self.images_per_second


@dataclass(frozen=True)
class Choice:
    """How a grid run packs its experiments.

    Attributes:
        slots: Experiments at once.
        seconds: What each is expected to take, by key.
        makespan: Seconds from the first start to the last end.
    """

    slots: int
    seconds: Mapping[str, float]
    makespan: float


def splits(cores: int, jobs: int) -> list[int]:
    """Numbers of experiments at once that are worth a look: 1, 2, 4 and so on, and a core each.

    They hang on the cores, so that what was measured for one grid is of use to another; no more than there are jobs.

    >>> splits(cores=2, jobs=7), splits(cores=12, jobs=7), splits(cores=12, jobs=30)
    ([1, 2], [1, 2, 4], [1, 2, 4, 8, 12])
    """
    powers = [2**power for power in range(cores.bit_length()) if 2**power < cores]
    return [slots for slots in (*powers, cores) if slots <= max(1, jobs)]


def fits(slots: int, memory: int, available: int) -> bool:
    """Whether so many experiments have room, given what one process held in training; one always has.

    Args:
        slots: Experiments at once.
        memory: Bytes that a process held.
        available: Bytes that the machine has for all of them.
    """
    return slots == 1 or slots * memory * MEMORY_MARGIN <= available


def is_worth_measuring(jobs: Iterable[Job], expected: Measurement, cost_seconds: float) -> bool:
    """Whether packing may save more than it takes to measure it.

    Args:
        jobs: What is to be trained.
        expected: How fast that is one after another, as far as is known.
        cost_seconds: What the measurement takes.
    """
    return _LARGEST_SAVING * sum(expected.seconds(job.images) for job in jobs) > cost_seconds


def makespan(seconds: Iterable[float], slots: int) -> float:
    """When the last job ends where the longest starts first, and each as soon as a slot is free.

    At most a third longer than the best order (R. L. Graham, Bounds on multiprocessing timing anomalies, SIAM Journal
    on Applied Mathematics 17, 1969).
    """
    ends = [0.0] * slots
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def choices(
    jobs: Sequence[Job], measured: Mapping[ModelShape, Sequence[Measurement]], available: int, most: int
) -> list[Choice]:
    """Numbers of experiments at once, the one that ends soonest first, the smaller one where two do.

    It is one number for the whole run, whatever the shapes: what was measured of each beside its like stands for it
    beside any other. A shape that was not measured trains as fast as one that was, multiply-add for multiply-add.

    Args:
        jobs: What is to be trained; at least one.
        measured: By shape, of one of the jobs' at least; each with one slot, and maybe with more.
        available: Bytes of memory that the machine has for all of them.
        most: Experiments that may run at once, at least one: with more a measurement failed, or there are no cores.
    """
    known = max((job for job in jobs if job.shape in measured), key=lambda job: job.images * job.cost)

    def seconds(job: Job, slots: int) -> float:
        like = job if job.shape in measured else known
        return _at(measured[like.shape], slots).seconds(job.images * job.cost / like.cost)

    def memory(slots: int) -> int:
        return max(_at(several, slots).memory for several in measured.values())

    found = [
        Choice(slots, own := {job.key: seconds(job, slots) for job in jobs}, makespan(own.values(), slots))
        for slots in sorted({each.slots for several in measured.values() for each in several})
        if slots <= min(len(jobs), most) and fits(slots, memory(slots), available)
    ]
    return sorted(found, key=lambda choice: choice.makespan)


def _at(measurements: Sequence[Measurement], slots: int) -> Measurement:
    """What was measured with so many slots; with fewer where more were not tried, and so train no more in all."""
    fewer = (each for each in measurements if each.slots <= slots)
    return max(fewer, key=lambda each: each.slots).model_copy(update={"slots": slots})
