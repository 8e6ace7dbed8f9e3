"""What is killed: a process of a stack, chosen by what it is."""

import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from deployments.local.processes import FLOW_RUN, PREFECT_SERVER, S3_SERVER, WORKER, running

EXPERIMENT = "experiment"
KINDS = (EXPERIMENT, FLOW_RUN, WORKER, PREFECT_SERVER, S3_SERVER)


def experiments(folder: Path) -> list[psutil.Process]:
    """The experiments that run."""
    return [process for process in running(folder).get(FLOW_RUN, []) if _is_experiment(process)]


def flow_runs(folder: Path) -> list[psutil.Process]:
    """The flow runs that a worker started."""
    return [process for process in running(folder).get(FLOW_RUN, []) if _words(process, "prefect.engine")]


def rounds(kills: int, draws: random.Random) -> list[str]:
    """Kinds to kill in turn, each about as often as another, in an order that is drawn."""
    found: list[str] = []
    while len(found) < kills:
        found += draws.sample(KINDS, len(KINDS))
    return found[:kills]


def kill(folder: Path, kind: str, draws: random.Random) -> bool:
    """Kill a process of a kind, and wait for its end; whether there was one."""
    found = _of_kind(folder, kind)
    victims = found
    if found and kind == EXPERIMENT:
        victims = [draws.choice(sorted(found, key=lambda process: process.pid))]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    psutil.wait_procs(victims, timeout=20)
    return bool(victims)


def _of_kind(folder: Path, kind: str) -> Sequence[psutil.Process]:
    if kind == EXPERIMENT:
        return experiments(folder)
    return flow_runs(folder) if kind == FLOW_RUN else running(folder).get(kind, [])


def _is_experiment(process: psutil.Process) -> bool:
    return _words(process, "bloodcell") and _words(process, "--key")


def _words(process: psutil.Process, word: str) -> bool:
    with suppress(psutil.Error):
        return any(word in part for part in process.cmdline())
    return False
