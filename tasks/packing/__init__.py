"""Pack experiments onto this machine: how many at once, and the longest first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import psutil

from bloodcell.doctor.places import memory_left
from bloodcell.settings import Settings, cpus
from tasks.packing.calibration import Calibration, packed
from tasks.packing.choice import Choice, choices
from tasks.packing.jobs import Job
from tasks.packing.remembered import Machine
from tasks.plan import Plan
from tasks.runners import ProcessRunner

__all__ = ["pack"]


def pack(
    settings: Settings, planned: Plan, start: Callable[[Settings], ProcessRunner], log: Callable[[str], None]
) -> tuple[Settings, Plan]:
    """Decide how many experiments run at once, where the settings leave it open, and which start first.

    Of what goes on from a checkpoint, only what is left counts. What has a result comes last, as it keeps no core busy.

    Args:
        settings: Where things are.
        planned: The plan.
        start: Gives a runner for measuring, which can be stopped meanwhile.
        log: Called with what is measured and what came of it.

    Returns:
        The settings with a number of slots, and the plan with its runs in the order in which they are to start.
    """
    to_train = [run for run in planned.runs if not run.done]
    jobs = [Job.of(run, planned.dataset, planned.over.get(run.spec.key, 0)) for run in to_train]
    length = {job.key: job.images * job.cost for job in jobs}
    if settings.measures_slots:
        choice = _choice(settings, jobs, start, log)
        settings = settings.model_copy(update={"slots": choice.slots if choice else 1})
        length |= choice.seconds if choice else {}
    to_train.sort(key=lambda run: length[run.spec.key], reverse=True)
    return settings, replace(planned, runs=(*to_train, *(run for run in planned.runs if run.done)))


def _choice(
    settings: Settings, jobs: list[Job], start: Callable[[Settings], ProcessRunner], log: Callable[[str], None]
) -> Choice | None:
    """How to pack the jobs; None where there is nothing to choose, or nothing was worth measuring."""
    if len(jobs) < 2 or cpus() < 2:
        return None
    available = available_memory()
    calibration = Calibration(settings, start, Machine.here(cpus()), len(jobs), available, log)
    by_shape = groupby(sorted(jobs, key=lambda job: str(job.shape)), key=lambda job: job.shape)
    measured, most = {}, cpus()
    for shape, own in by_shape:
        known = calibration.known(list(own))
        if known.failed_at == 1:
            return None  # what ails one process, such as a GPU that is there, ails those of other shapes
        if known.failed_at:
            most = min(most, known.failed_at - 1)
        if known.measurements:
            measured[shape] = known.measurements
    if not measured:
        return None
    choice, *others = choices(jobs, measured, available, most)

    def expected(choice: Choice) -> str:
        threads = settings.model_copy(update={"slots": choice.slots}).threads_per_experiment
        return f"{packed(choice.slots, threads)}: about {timedelta(seconds=round(choice.makespan))}"

    rest = f"; {'; '.join(map(expected, others))}" if others else ""
    log(f"{expected(choice)}{rest}, for {len(jobs)} to start and train, as measured, scoring and pictures aside")
    return choice


def available_memory() -> int:
    """Bytes that new processes may take on this machine, or in this container."""
    left = memory_left(Path("/sys/fs/cgroup"))
    free: int = psutil.virtual_memory().available
    return free if left is None else min(free, left)
