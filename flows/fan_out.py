"""Fan the experiments of a grid out over a runner, and collect whatever became of them."""

from functools import partial
from typing import Any

from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from bloodcell.artifacts import RowOutcome
from bloodcell.errors import BloodcellError
from bloodcell.store import Store
from tasks.experiment import run_experiment
from tasks.labels import tags
from tasks.plan import Plan, PlannedRun
from tasks.runners import Runner


def fan_out(store: Store, planned: Plan, runner: Runner, concurrent: int) -> tuple[RowOutcome, ...]:
    """Run the experiments, `concurrent` at once, in the plan's order, and say of each what became of it.

    However this call is left, no experiment runs after it: a cancelled flow run and Ctrl-C stop them all.

    Returns:
        Row after row, as the grid has them and a report shows them, each with its seeds in order.
    """
    places = {row.name: place for place, row in enumerate(planned.grid.rows)}
    with ThreadPoolTaskRunner(max_workers=concurrent) as pool:  # type: ignore[var-annotated]
        try:
            experiment = run_experiment.with_options(tags=tags(planned.grid))
            futures = [
                pool.submit(experiment, {"store": store, "runner": runner, "planned": run}) for run in planned.runs
            ]
            outcomes = [outcome(run, future) for run, future in zip(planned.runs, futures, strict=True)]
            return tuple(sorted(outcomes, key=lambda outcome: (places[outcome.name], outcome.config.seed)))
        except BaseException:  # before the pool waits for its threads, and they for the experiments
            runner.stop()
            raise


def outcome(planned: PlannedRun, future: PrefectFuture[Any]) -> RowOutcome:
    """Wait for an experiment's task; its failure becomes the row's reason."""
    future.wait()
    state = future.state
    row = partial(
        RowOutcome,
        name=planned.row.name,
        key=planned.spec.key,
        config=planned.spec.config,
        changed=planned.row.changed,
    )
    if state.is_completed():
        return row(status="reused" if planned.done and not planned.resumed else "trained")
    error = state.result(raise_on_failure=False)
    if isinstance(error, BloodcellError):
        return row(status="failed", reason=f"{error.problem}. Remedy: {error.remedy}", exit_code=error.exit_code)
    return row(status="failed", reason=state.message or str(state.name), exit_code=BloodcellError.exit_code)
