"""Send each experiment to a work pool as a flow run, and follow it to its end."""

import time
from collections.abc import Callable
from threading import Event as Flag
from threading import Lock
from typing import cast

from prefect.client.schemas.objects import FlowRun, State, WorkPool, WorkPoolStatus
from prefect.utilities.urls import url_for

from bloodcell.errors import BloodcellError, ConfigError, StoppedError, TransientError
from bloodcell.events import Done, Event, Step
from bloodcell.settings import Settings
from bloodcell.store import open_store
from tasks.runners.base import Exit, GridRunId, over_time, stopped
from tasks.runners.work_pool.api import STOPPED_BY_GRID, cancel, read_pool
from tasks.runners.work_pool.children import adopt_or_start
from tasks.runners.work_pool.ending import exit_of
from tasks.runners.work_pool.watch import Watch

_POLL_SECONDS = 5.0


class WorkPoolRunner:
    """Runs each experiment as a flow run of `flows/experiment.py`, wherever a worker of the pool has room.

    A grid run that is killed leaves them running, and the next one adopts them.

    Args:
        settings: Where things are, and the limits.
        run: The grid run, for the flow runs' names and tags.
    """

    def __init__(self, settings: Settings, run: GridRunId) -> None:
        self._settings = settings
        self._run = run
        self._store = open_store(settings.store).url
        self._watch = Watch(_POLL_SECONDS)
        self._stopping = Flag()
        self._starting = Lock()  # Prefect numbers a flow run's subflows without one of its own

    def prepare(self, on_log: Callable[[str], None]) -> None:
        """See that the deployment is there and its pool can reach the store, and say so where no worker is."""
        pool = read_pool(self._settings.deployment)
        check_reachable(self._store, pool)
        if pool.status is not WorkPoolStatus.READY:
            on_log(waits(pool))

    def run(self, key: str, name: str, on_event: Callable[[Event], None], on_log: Callable[[str], None]) -> Exit:
        """Adopt the experiment's flow run or start one, tell each of its states, and wait for the last."""
        with self._starting:
            if self._stopping.is_set():
                raise stopped()
            run, adopted = adopt_or_start(self._settings.deployment, self._run, store=self._store, key=key, row=name)
        self._watch.add(run)
        try:
            on_event(Step(message=f"{'adopted' if adopted else 'sent to the work pool:'} {run.name}, {url_for(run)}"))
            last = self._follow(run, on_event)
        except TransientError:  # it has ended, or nothing can be done about it now
            raise
        except BaseException:
            self._end(run, on_log)
            raise
        finally:
            self._watch.remove(run)
        ended = ending(last)
        if ended.code == 0:
            on_event(Done(message=f"{key} is in {self._store}"))
        return ended

    def stop(self) -> None:
        """Have every `run` cancel its flow run."""
        self._stopping.set()

    def _follow(self, run: FlowRun, on_event: Callable[[Event], None]) -> FlowRun:
        """Wait for a flow run's last state; returns it with that."""
        seen, since = None, time.monotonic()
        earlier = None  # what ran it before it was claimed: a run that is scheduled anew keeps the trace of that
        while True:
            now = self._watch.now(run)
            if now is None or now.state is None:
                raise deleted(run)
            if now.state.id != seen:
                seen, since = now.state.id, time.monotonic()
                on_event(Step(message=f"{now.state.name}"))
            if now.state.is_final():
                return now
            if self._stopping.is_set():
                raise stopped()
            if not now.state.is_pending():
                earlier = now.infrastructure_pid
            self._check_time(now, time.monotonic() - since, claimed=is_claimed(now, earlier))
            self._stopping.wait(_POLL_SECONDS)

    def _check_time(self, run: FlowRun, seconds: float, *, claimed: bool) -> None:
        """Raise where a flow run has been in its state for too long."""
        limit = self._settings.time_limit
        if limit is not None and run.state is not None and run.state.is_running() and seconds > limit:
            raise over_time(limit)
        # Without infrastructure nothing runs: its worker was killed between claiming and starting it.
        if claimed and seconds > self._settings.claim_limit:
            error = abandoned(run, self._settings.claim_limit)
            cancel(run, error.problem)
            raise error

    def _end(self, run: FlowRun, on_log: Callable[[str], None]) -> None:
        """Cancel a flow run, and give it the grace time to end."""
        deadline = time.monotonic() + self._settings.grace
        try:
            cancel(run, "The grid run has stopped.")
            while time.monotonic() < deadline:
                now = self._watch.now(run)
                if now is None or now.state is None or now.state.is_final():
                    return
                time.sleep(1)
            on_log(f"{run.name} is being cancelled, and has not ended yet")
        except BloodcellError as error:
            on_log(f"{run.name} could not be cancelled: {error}")


def check_reachable(store: str, pool: WorkPool) -> None:
    """See that the pool's machines can use the store at all.

    Raises:
        ConfigError: The store is a folder of this host, and the pool's experiments run elsewhere.
    """
    if not store.startswith("s3://") and pool.type != "process":
        raise ConfigError(
            f"store URL is {store!r}, which the machines of the {pool.type} work pool {pool.name!r} cannot reach; "
            "accepted is s3://<bucket>, or a folder that all share with a work pool of type process",
            remedy="set BLOODCELL_STORE to a bucket",
        )


def waits(pool: WorkPool) -> str:
    """What to say of a pool in which nothing starts now."""
    if pool.status is WorkPoolStatus.PAUSED:
        return f"the experiments wait: the work pool {pool.name!r} is paused; prefect work-pool resume {pool.name}"
    return (
        f"the experiments wait: no worker of the work pool {pool.name!r} is online; "
        f"prefect worker start --pool {pool.name} --type {pool.type}"
    )


def is_claimed(run: FlowRun, earlier: str | None) -> bool:
    """Whether a worker has claimed a flow run and nothing runs yet.

    Args:
        run: The flow run as it is now.
        earlier: The infrastructure that ran it before, if any did.
    """
    return run.state is not None and run.state.is_pending() and run.infrastructure_pid == earlier


def ending(run: FlowRun) -> Exit:
    """How the experiment ended, from its flow run in its last state.

    Raises:
        TransientError: What ran it crashed, which another attempt may not, or another grid run stopped it.
        StoppedError: Somebody cancelled it.
    """
    state = cast(State, run.state)
    if state.is_crashed():
        raise TransientError(
            f"the flow run {run.name} crashed: {state.message}",
            remedy=f"look at its log and its worker's: {url_for(run)}",
        )
    if state.is_cancelled() and STOPPED_BY_GRID in run.tags:
        raise TransientError(
            f"the flow run {run.name} was cancelled by another grid run that had the experiment too, and stopped",
            remedy="run again; finished experiments are kept",
        )
    if state.is_cancelled():
        raise StoppedError(
            f"the flow run {run.name} was cancelled: {state.message or 'by somebody'}",
            remedy="run again; finished experiments are kept",
        )
    return exit_of(state)


def abandoned(run: FlowRun, limit: int) -> TransientError:
    """The error of a flow run that a worker claimed and never started."""
    return TransientError(
        f"a worker claimed the flow run {run.name} and has not started it within {limit} s",
        remedy="look whether its worker lives; raise BLOODCELL_CLAIM_LIMIT where an image takes longer to arrive",
    )


def deleted(run: FlowRun) -> BloodcellError:
    """The error of a flow run that the server knows no more."""
    return BloodcellError(
        f"the flow run {run.name} was deleted while its experiment ran",
        remedy="run again; finished experiments are kept",
    )
