"""The flow `grid`: plan, fan out one task an experiment, collect whatever happened, report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from bloodcell.artifacts import GridRun, Nightly, RowOutcome, grid_run, read_model
from bloodcell.errors import ObjectNotFoundError
from bloodcell.files import scratch, storage_errors
from bloodcell.provenance import code_version
from bloodcell.published import published_runs
from bloodcell.settings import load_settings
from bloodcell.store import Store, open_store
from flows.conclusion import conclusion
from flows.fan_out import fan_out
from flows.parameters import GridName, Overrides, resolve
from flows.schedule import reason_to_skip
from tasks import report_process
from tasks.labels import run_name, tag_flow_run, tags
from tasks.log_redaction import redact_logs
from tasks.packing import pack
from tasks.plan import Plan
from tasks.plan_grid import plan_grid
from tasks.report import report_grid
from tasks.reporting import audit_dataset, draw, get_ready_to_draw, make_report
from tasks.runners import GridRunId, ProcessRunner, Runner, open_runner
from tasks.synthetic import draw_missing

RunnerT = TypeVar("RunnerT", bound=Runner)

INTERRUPTIBLE: list[Runner] = []
"""What Ctrl-C has to stop in this process."""

ON_START: list[Callable[[], None]] = []
"""What a process that runs the flow by hand does once it runs: by then Prefect has taken SIGTERM over."""


def own_name() -> str:
    """The current run's name, from its parameters."""
    parameters = runtime.flow_run.parameters
    return run_name(parameters["grid"], parameters["dataset"], parameters["overrides"])


@flow(name="grid", flow_run_name=own_name)
def grid(
    grid: GridName = "blood-cell",
    dataset: str | None = None,
    *,
    overrides: Overrides | None = None,
    seeds: int | None = None,
    force: bool = False,
    nightly: Nightly | None = None,
    start_within_hours: float | None = None,
    strict: bool = False,
    command: str = "",
) -> State[GridRun]:
    """Run the experiments of a grid that have no result yet, and report on all of them.

    Args:
        grid: A shipped grid's name, or the path of a YAML file on the worker's machine.
        dataset: Dataset to use instead of the grid's own: `name`, or `name@version`.
        overrides: Fields of ExperimentConfig to set in the grid's base, and their values.
        seeds: Trainings of each row, with consecutive seeds, instead of the grid's own number.
        force: Train anew what has a result; the new result counts from then on. It is of the grid's own seeds, and so
            is the report: seeds that nights added are in both with as high a number in `seeds`. Not with `nightly`.
        nightly: `compare`: add the next unused seed to each row, and compare its trainings with those of the nights
            before: a worse row fails the run, once its report is published. `restart`: the same, with nothing before
            it to be compared with. A night that was interrupted is gone on with, with the same seed.
        start_within_hours: Hours after its scheduled start in which a run may begin; later it skips itself. For
            schedules; any time where left out.
        strict: Refuse a grid that tests or validates on images with a sibling in training, or of unknown source cells.
        command: The command that started the run, for the report's provenance.
    """
    for act in ON_START:
        act()
    redact_logs()
    started = datetime.now(UTC)
    own = runtime.flow_run
    if late := reason_to_skip(own.scheduled_start_time, started, start_within_hours, own.run_count):
        return Cancelled(name="Skipped", message=late)
    settings = load_settings()
    store = open_store(settings.store)
    flow_run_id = str(own.id)
    run_id = f"{started:%Y%m%dT%H%M%SZ}{suffix(flow_run_id)}"
    config = resolve(grid, dataset, overrides, seeds)
    tag_flow_run(tags(config))
    draw_missing(store, config.dataset)
    # Before anything is planned: the folder may be refused.
    with _making(settings.cache) as folder, report_process.started() as reports:
        audit = partial(reports.call, audit_dataset)
        planned = plan_grid(store, config, run_id, strict=strict, force=force, nightly=nightly, audit=audit)
        log = get_run_logger().info
        settings, planned = pack(settings, planned, lambda settings: _interruptible(ProcessRunner(settings)), log)
        runner = _interruptible(open_runner(settings, GridRunId(planned.grid.name, run_id, flow_run_id)))
        runner.prepare(log)
        begun = GridRun(
            run_id=run_id,
            grid=planned.grid,
            dataset=planned.dataset.name,
            dataset_version=planned.dataset.version,
            code_version=code_version(),
            rows=(),
            started=started,
            finished=started,
            command=command,
            leakage=planned.leakage,
            nightly="restart" if planned.restart else nightly,
            forced=force,
            overrides=overrides or {},
        )
        return conclusion(
            *_run_and_report(
                store, planned, begun, runner, concurrent=settings.concurrent, reports=reports, folder=folder
            )
        )


def _run_and_report(
    store: Store,
    planned: Plan,
    begun: GridRun,
    runner: Runner,
    *,
    concurrent: int,
    reports: report_process.ReportProcess,
    folder: Path,
) -> tuple[GridRun, str, str]:
    """Run what has no result and publish the report, made in a folder; returns what `report_grid` does."""

    def draw_row(ended: Sequence[RowOutcome]) -> None:
        reports.call_there(draw, store, begun.model_copy(update={"rows": tuple(ended)}), planned.dataset, folder)

    outcomes = fan_out(
        store,
        planned,
        runner,
        concurrent,
        on_start=partial(reports.call_there, get_ready_to_draw),
        on_row=draw_row,
    )
    run = begun.model_copy(update={"rows": outcomes, "finished": datetime.now(UTC)})
    return report_grid(store, run, planned.dataset, folder, partial(reports.call, make_report))


@contextmanager
def _making(cache: Path) -> Iterator[Path]:
    """A folder below the cache for what is made in the block.

    Raises:
        StorageError: There can be none, as StoragePermissionError or StorageFullError where that is why.
    """
    with ExitStack() as stack:
        with storage_errors("a report in the making", str(cache), "BLOODCELL_CACHE"):
            folder = stack.enter_context(scratch(cache / "scratch"))
        yield folder


def _interruptible(runner: RunnerT) -> RunnerT:
    INTERRUPTIBLE.append(runner)
    return runner


def suffix(flow_run_id: str) -> str:
    """The end of a grid run's id, which says of which flow run it is."""
    return f"-{flow_run_id[-6:]}"


def run_of(store: Store, name: str, flow_run_id: str) -> GridRun | None:
    """What a flow run published of the grid of that name, if it came so far."""
    try:
        found = next(run for run in published_runs(store, name) if run.run_id.endswith(suffix(flow_run_id)))
    except (ObjectNotFoundError, StopIteration):
        return None
    return read_model(store, grid_run(name, found.run_id, "grid.json"), GridRun)
