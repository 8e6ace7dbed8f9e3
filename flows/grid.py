"""The flow `grid`: plan, fan out one task an experiment, collect whatever happened, report."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.config import GridConfig
from bloodcell.errors import BloodcellError
from bloodcell.grids import load_grid
from bloodcell.provenance import code_version
from bloodcell.settings import Settings
from bloodcell.store import open_store
from tasks.experiment import run_experiment
from tasks.plan import Plan, PlannedRow, plan_grid
from tasks.report import report_grid
from tasks.runners import ProcessRunner


def resolve(grid: str, dataset: str | None, overrides: dict[str, Any] | None) -> GridConfig:
    """The grid that a run's parameters name.

    Args:
        grid: A shipped grid's name, or the path of a YAML file.
        dataset: Dataset to use instead of the grid's own.
        overrides: Fields of ExperimentConfig to set in the grid's base.

    Raises:
        ConfigError: The grid does not exist, or does not validate with the overrides.
    """
    config = load_grid(grid).with_overrides(overrides or {})
    return config.model_copy(update={"dataset": dataset}) if dataset else config


@flow(name="grid", flow_run_name="{grid}", validate_parameters=True)
def grid(
    grid: str = "blood-cell", dataset: str | None = None, overrides: dict[str, Any] | None = None, command: str = ""
) -> State:
    """Run the experiments of a grid that have no result yet, and report on all of them.

    Args:
        grid: A shipped grid's name, or the path of a YAML file.
        dataset: Dataset to use instead of the grid's own: `name`, or `name@version`.
        overrides: Fields of ExperimentConfig to set in the grid's base, and their values.
        command: The command that started the run, for the report's provenance.
    """
    started = datetime.now(UTC)
    settings = Settings()
    store = open_store(settings.store)
    planned = plan_grid(store, resolve(grid, dataset, overrides))
    outcomes = fan_out(planned, settings)
    run = GridRun(
        run_id=f"{started:%Y%m%dT%H%M%SZ}-{str(runtime.flow_run.id)[-6:]}",
        grid=planned.grid,
        dataset=planned.dataset.name,
        dataset_version=planned.dataset.version,
        code_version=code_version(),
        rows=outcomes,
        started=started,
        finished=datetime.now(UTC),
        command=command,
    )
    url = report_grid(store, run, planned.dataset)
    failed = [row for row in outcomes if row.status == "failed"]
    if failed:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in failed)
        return Failed(
            message=f"{len(failed)} of {len(outcomes)} experiments failed: {reasons}. Report: {url}", data=url
        )
    return Completed(message=f"report: {url}", data=url)


def fan_out(planned: Plan, settings: Settings) -> tuple[RowOutcome, ...]:
    """Run the experiments, `settings.slots` at once, and say of each what became of it."""
    runner = ProcessRunner(settings)
    with ThreadPoolTaskRunner(max_workers=settings.slots) as pool:  # type: ignore[var-annotated]
        futures = [pool.submit(run_experiment, {"runner": runner, "planned": row}) for row in planned.rows]
        return tuple(outcome(row, future) for row, future in zip(planned.rows, futures, strict=True))


def outcome(planned: PlannedRow, future: PrefectFuture[Any]) -> RowOutcome:
    """Wait for an experiment's task; its failure becomes the row's reason."""
    future.wait()
    state = future.state
    reason = ""
    if not state.is_completed():
        error = state.result(raise_on_failure=False)
        reason = error.problem if isinstance(error, BloodcellError) else state.message or str(state.name)
    return RowOutcome(
        name=planned.row.name,
        key=planned.spec.key,
        config=planned.spec.config,
        changed=planned.row.changed,
        status="failed" if reason else "reused" if planned.done else "trained",
        reason=reason,
    )


if __name__ == "__main__":
    from flows.command import main

    main()
