"""The flow `grid`: plan, fan out one task an experiment, collect whatever happened, report."""

import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from types import FrameType
from typing import NoReturn, TypeVar, get_args

import click
from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import Cancelled

from bloodcell.artifacts import GridRun, Nightly, grid_run, read_model
from bloodcell.errors import BloodcellError, ObjectNotFoundError
from bloodcell.provenance import code_version
from bloodcell.published import published_runs
from bloodcell.settings import load_settings
from bloodcell.store import Store, open_store
from flows.conclusion import conclusion, exit_code
from flows.fan_out import fan_out
from flows.parameters import GridName, Overrides, parse_assignment, resolve
from flows.schedule import reason_to_skip
from tasks.labels import run_name, tag_flow_run, tags
from tasks.packing import pack
from tasks.plan import plan, plan_grid
from tasks.report import report_grid
from tasks.runners import GridRunId, ProcessRunner, Runner, open_runner
from tasks.synthetic import draw_missing

RunnerT = TypeVar("RunnerT", bound=Runner)

_INTERRUPTIBLE: list[Runner] = []  # what Ctrl-C has to stop in this process

# Prefect's ephemeral server reports home and gives up after 20 s, which a busy machine needs for its first start.
_EMBEDDED_SERVER = {PREFECT_SERVER_ANALYTICS_ENABLED: False, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120}


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
    planned = plan_grid(store, config, run_id, strict=strict, force=force, another_seed=nightly is not None)
    log = get_run_logger().info
    settings, planned = pack(settings, planned, lambda settings: _interruptible(ProcessRunner(settings)), log)
    runner = _interruptible(open_runner(settings, GridRunId(planned.grid.name, run_id, flow_run_id)))
    runner.prepare(log)
    outcomes = fan_out(store, planned, runner, settings.concurrent)
    run = GridRun(
        run_id=run_id,
        grid=planned.grid,
        dataset=planned.dataset.name,
        dataset_version=planned.dataset.version,
        code_version=code_version(),
        rows=outcomes,
        started=started,
        finished=datetime.now(UTC),
        command=command,
        leakage=planned.leakage,
        nightly=nightly,
        forced=force,
        overrides=overrides or {},
    )
    return conclusion(*report_grid(store, run, planned.dataset))


@click.command()
@click.option(
    "--grid", "name", default="blood-cell", show_default=True, help="A shipped grid, or the path of a YAML file."
)
@click.option("--dataset", help="Dataset in the store, instead of the grid's own: `name` or `name@version`.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Set a field of all rows; repeatable.")
@click.option("--strict", is_flag=True, help="Refuse to test or validate on images with a sibling in training.")
@click.option("--seeds", type=click.IntRange(min=1), help="Trainings of each row, instead of the grid's own number.")
@click.option(
    "--force",
    is_flag=True,
    help="Train anew what has a result; the new result counts from then on. It is of the grid's own seeds: those that "
    "nights added are neither trained nor reported without --seeds. Not with --nightly.",
)
@click.option(
    "--nightly",
    type=click.Choice(get_args(Nightly)),
    help="Add the next unused seed, and fail where a row is worse than on the nights before; `restart` forgets these. "
    "An interrupted night goes on with its seed.",
)
@click.option("--check", is_flag=True, help="Only check the grid and the settings; needs no dataset, runs nothing.")
def main(
    name: str,
    dataset: str | None,
    assignments: tuple[str, ...],
    *,
    strict: bool,
    seeds: int | None,
    force: bool,
    nightly: Nightly | None,
    check: bool,
) -> None:
    """Run a grid: train what has no result yet, then report on all of it.

    \b
    Exit codes: 0 every experiment has a result; 65 bad data, 78 bad configuration, 75 try again: of the grid, or of
    all experiments that failed; 1 they failed for different reasons, or a night is worse. The report names them.
    """  # noqa: D301 - click wants the backspace itself
    try:
        overrides = dict(map(parse_assignment, assignments))
        config = resolve(name, dataset, overrides, seeds)
        if check:
            return
        # The flow plans too; what is wrong is told here without a server and a traceback.
        store = open_store(load_settings().store)
        plan(store, config, strict=strict, force=force, another_seed=nightly is not None)
    except BloodcellError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    if PREFECT_API_URL.value() is None:
        signal.signal(signal.SIGINT, _interrupted)
    command = shlex.join(["python", "-m", "flows.grid", *sys.argv[1:]])
    with temporary_settings(_EMBEDDED_SERVER):
        state = grid(
            grid=name,
            dataset=dataset,
            overrides=overrides,
            seeds=seeds,
            force=force,
            nightly=nightly,
            strict=strict,
            command=command,
            return_state=True,
        )
    # Not from the state's data: a server that took the state but answered too late is asked again, and has none.
    if run := run_of(store, config.name, str(state.state_details.flow_run_id)):
        click.echo(state.message)
        sys.exit(exit_code(run))
    cause = state.result(raise_on_failure=False)
    click.echo(f"error: {cause}" if isinstance(cause, BloodcellError) else state.message, err=True)
    sys.exit(cause.exit_code if isinstance(cause, BloodcellError) else 1)


def _interruptible(runner: RunnerT) -> RunnerT:
    _INTERRUPTIBLE.append(runner)
    return runner


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Stop what runs and end: a terminal's Ctrl-C ended the temporary server too, and Prefect would wait in vain."""
    from prefect.server.api.server import SubprocessASGIServer  # takes 2 s, where there is no such server

    for runner in _INTERRUPTIBLE:
        runner.stop()
    SubprocessASGIServer().stop()  # the one of this process; it outlives a signal that a terminal did not send
    click.echo("\ninterrupted; the same command goes on from here: finished experiments are kept", err=True)
    os._exit(128 + number)


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


if __name__ == "__main__":
    main()
