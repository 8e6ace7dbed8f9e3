"""Fan the experiments of a grid out over a runner, and collect whatever became of them."""

from functools import partial
from typing import Any

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.data.leakage import warning
from bloodcell.errors import BloodcellError
from bloodcell.report.formatting import counted
from bloodcell.store import Store
from tasks.experiment import run_experiment
from tasks.labels import tags
from tasks.plan import Plan, PlannedRow
from tasks.runners import Runner

_NAMED = 8  # rows with one reason, in the flow's last state; the report names all


def fan_out(store: Store, planned: Plan, runner: Runner, concurrent: int) -> tuple[RowOutcome, ...]:
    """Run the experiments, `concurrent` at once, and say of each what became of it.

    However this call is left, no experiment runs after it: a cancelled flow run and Ctrl-C stop them all.
    """
    with ThreadPoolTaskRunner(max_workers=concurrent) as pool:  # type: ignore[var-annotated]
        try:
            experiment = run_experiment.with_options(tags=tags(planned.grid))
            futures = [
                pool.submit(experiment, {"store": store, "runner": runner, "planned": row}) for row in planned.rows
            ]
            return tuple(outcome(row, future) for row, future in zip(planned.rows, futures, strict=True))
        except BaseException:  # before the pool waits for its threads, and they for the experiments
            runner.stop()
            raise


def outcome(planned: PlannedRow, future: PrefectFuture[Any]) -> RowOutcome:
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
        return row(status="reused" if planned.done else "trained")
    error = state.result(raise_on_failure=False)
    if isinstance(error, BloodcellError):
        return row(status="failed", reason=f"{error.problem}. Remedy: {error.remedy}", exit_code=error.exit_code)
    return row(status="failed", reason=state.message or str(state.name), exit_code=BloodcellError.exit_code)


def conclusion(run: GridRun, url: str) -> State[GridRun]:
    """The state in which the flow ends: Failed where an experiment is, with each reason once; it tells leakage too.

    Args:
        run: The grid run with the outcome of every row.
        url: Where its report is.
    """
    failed = [row for row in run.rows if row.status == "failed"]
    leakage = list(filter(None, [warning(run.leakage)]))
    if not failed:
        return Completed(message="\n".join([*leakage, f"report: {url}"]), data=run)
    rows_of: dict[str, list[str]] = {}
    for row in failed:
        rows_of.setdefault(row.reason, []).append(row.name)
    # The Prefect UI shows all on one line, so each ends as a sentence does.
    return Failed(
        message="\n".join(
            [
                f"{len(failed)} of {counted(len(run.rows), 'experiment')} failed.",
                *(f"{_names(names)}: {reason.rstrip('.')}." for reason, names in rows_of.items()),
                *leakage,
                f"Report: {url}",
            ]
        ),
        data=run,
    )


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"
