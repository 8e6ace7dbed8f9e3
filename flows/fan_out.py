"""Fan the experiments of a grid out over a runner, and collect whatever became of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger
from prefect.task_runners import ThreadPoolTaskRunner

from bloodcell.artifacts import RowOutcome, read_result
from bloodcell.errors import BloodcellError, StoppedError
from bloodcell.store import AT_ONCE, Store
from tasks.experiment import run_experiment
from tasks.plan import Plan, PlannedRun
from tasks.runners import Runner


def fan_out(
    store: Store,
    planned: Plan,
    runner: Runner,
    concurrent: int,
    *,
    on_start: Callable[[], None] = lambda: None,
    on_row: Callable[[Sequence[RowOutcome]], None] = lambda _: None,
) -> tuple[RowOutcome, ...]:
    """Run what has no result, `concurrent` at once and in the plan's order, and say of all what became of them.

    One that has a result is no task of Prefect's (docs/adr/0016): its result is read, and fails its row where it cannot
    be. However this call is left, no experiment runs after it: a cancelled flow run and Ctrl-C stop them all.

    Args:
        store: Where everything is.
        planned: The plan.
        runner: Runs the experiments.
        concurrent: How many at once.
        on_start: Called once experiments are on their way, if any are to run.
        on_row: Called with all of a row's outcomes once its last experiment has ended, while those of others run.

    Returns:
        Row after row, each with its seeds in order.
    """
    done = [run for run in planned.runs if run.done]
    to_run = [run for run in planned.runs if not run.done]
    with ThreadPoolExecutor(AT_ONCE) as readers:
        outcomes = list(readers.map(partial(outcome_of_done, store, get_run_logger().error), done))
    # In a thread of its own: a signal interrupts the wait for it, not what it waits for, and the stop is not late.
    aside, warn = ThreadPoolExecutor(1), get_run_logger().warning
    futures: dict[PrefectFuture[Any], PlannedRun] = {}
    queued: list[Future[Any]] = []
    with ThreadPoolTaskRunner(max_workers=concurrent) as pool:  # type: ignore[var-annotated]
        try:
            for run in to_run:
                future = pool.submit(run_experiment, {"store": store, "runner": runner, "planned": run})
                futures[future] = run
                queued.append(future.wrapped_future)
            if futures:
                aside.submit(_attempt, warn, on_start)
            left = Counter(run.row.name for run in to_run)
            for trained in as_completed(list(futures)):
                outcomes.append(ended := outcome(futures[trained], trained))
                left[ended.name] -= 1
                if not left[ended.name] and left.total():
                    of_row = tuple(one for one in outcomes if one.name == ended.name)
                    aside.submit(_attempt, warn, partial(on_row, of_row))
            aside.shutdown()
        except BaseException:  # before the pool waits for its threads, and they for the experiments
            for waiting in queued:  # what has not begun, and would once others are stopped
                waiting.cancel()
            runner.stop()
            aside.shutdown(wait=False, cancel_futures=True)
            raise
    return planned.in_order(outcomes)


def _attempt(warn: Callable[..., None], act: Callable[[], None]) -> None:
    """Do what is no part of the run: no experiment is lost for it."""
    try:
        with suppress(StoppedError):  # with the run, which says so
            act()
    except Exception as error:  # noqa: BLE001
        warn("nothing could be prepared for the report while experiments run: %r", error)


def outcome_of_done(store: Store, log: Callable[..., None], planned: PlannedRun) -> RowOutcome:
    """What became of an experiment that has a result: it is as good as its result can be read."""
    try:
        read_result(store, planned.spec.key)
    except BloodcellError as error:
        log("%s: %s", planned.name, error)
        return _failed(planned, error)
    return planned.outcome("trained" if planned.resumed else "reused")


def outcome(planned: PlannedRun, future: PrefectFuture[Any]) -> RowOutcome:
    """Wait for an experiment's task; its failure becomes the row's reason."""
    future.wait()
    state = future.state
    if state.is_completed():
        return planned.outcome("trained")
    error = state.result(raise_on_failure=False)
    if isinstance(error, BloodcellError):
        return _failed(planned, error)
    reason = state.message or str(state.name)
    return planned.outcome("failed", reason, BloodcellError.exit_code)


def _failed(planned: PlannedRun, error: BloodcellError) -> RowOutcome:
    reason = f"{error.problem}. Remedy: {error.remedy}"
    return planned.outcome("failed", reason, error.exit_code)
