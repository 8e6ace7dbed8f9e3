"""The command `python -m flows.grid`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, get_args

import click

from bloodcell.artifacts import ExperimentSpec, Nightly
from bloodcell.config import GridConfig
from bloodcell.errors import BloodcellError
from bloodcell.interruption import ended_by_ctrl_c
from bloodcell.lasting import lasting
from bloodcell.settings import Settings, load_settings
from bloodcell.store import Store, open_store
from bloodcell.weights import identify_weights
from flows.parameters import parse_assignment, resolve

if TYPE_CHECKING:
    from tasks.report_process import ReportProcess


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
@click.option(
    "--check",
    is_flag=True,
    help="Only check the grid and the settings, and print the name of its dataset, which need not be there.",
)
@click.option(
    "--plan", "only_plan", is_flag=True, help="Only show what would be trained, and why; runs and writes nothing."
)
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
    only_plan: bool,
) -> None:
    """Run a grid: train what has no result yet, then report on all of it.

    \b
    Exit codes: 0 every experiment has a result; 65 bad data, 78 bad configuration, 75 try again: of the grid, or of
    all experiments that failed; 1 they failed for different reasons, or a night is worse. The report names them.
    """  # noqa: D301 - click wants the backspace itself
    with ended_by_ctrl_c():
        try:
            overrides = dict(map(parse_assignment, assignments))
            config = resolve(name, dataset, overrides, seeds)
            if check:
                _check_weights(config)
                click.echo(config.dataset.partition("@")[0])
                return
            from tasks.plan import plan, specify

            settings = load_settings()
            store = open_store(settings.store)
            if only_plan:
                from flows.grid.outlook import outlook

                planned = plan(store, config, strict=strict, force=force, another_seed=nightly is not None)
                click.echo(outlook(store, planned))
                return
            from tasks.report_process import start_ahead
            from tasks.reporting import audit_dataset

            # The flow would tell this too, but in a traceback, and after the start of a server.
            reports = start_ahead()
            audit = partial(reports.call, audit_dataset)
            specs = specify(store, config, strict=strict, force=force, another_seed=nightly is not None, audit=audit)
        except BloodcellError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(error.exit_code)
        anew = force or nightly is not None
        launch = _import_flow(partial(_prepare, settings, store, config, specs, reports, anew=anew))
    sys.exit(
        launch(
            store,
            config.name,
            grid=name,
            dataset=dataset,
            overrides=overrides,
            seeds=seeds,
            force=force,
            nightly=nightly,
            strict=strict,
        )
    )


def _import_flow(meanwhile: Callable[[], None]) -> Callable[..., int]:
    """Import Prefect and the flow, which takes seconds, and do something else meanwhile."""
    Thread(target=meanwhile, name="prepare", daemon=True).start()
    with lasting():
        from flows.grid.launch import launch
    return launch


def _prepare(
    settings: Settings,
    store: Store,
    config: GridConfig,
    specs: Sequence[ExperimentSpec],
    reports: "ReportProcess",
    *,
    anew: bool,
) -> None:
    """Have TensorFlow imported where processes of this machine will train, and the results read where nothing will."""
    from tasks.plan import plan
    from tasks.report_process import EndedError
    from tasks.reporting import audit_dataset, read_ahead
    from tasks.trainings import lacks_a_result

    with suppress(BloodcellError, OSError, EndedError):  # the flow will meet it, and say so
        if anew or lacks_a_result(store, specs, config.seeds):
            if settings.runner == "process":
                from tasks.runners.process import FORKS, warm_up

                if FORKS:
                    warm_up(settings)
            return
        planned = plan(store, config, audit=partial(reports.call_there, audit_dataset))
        outcomes = planned.in_order(run.outcome("reused") for run in planned.runs)
        reports.call_there(read_ahead, store, outcomes, planned.dataset)


def _check_weights(config: GridConfig) -> None:
    """Raise what is wrong with the files that the rows start from."""
    for weights, digest in {(row.config.weights, row.config.weights_sha256) for row in config.rows}:
        if weights not in ("imagenet", "none"):
            identify_weights(open_store(load_settings().store), weights, digest)


if __name__ == "__main__":
    main()
