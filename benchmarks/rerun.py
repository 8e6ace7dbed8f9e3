"""A grid that is run again, with a Prefect server that is up: the whole command `python -m flows.grid`, by wall-clock.

Seven rows of MobileNet 0.25 at 48 px are trained once. Then, in each round, the same command runs three times with
nothing changed, of which the median counts; and once with one row changed, of which the time that such a row takes by
itself is taken off: that of `bloodcell run`, from its start to its end, with nothing beside it. A changed row is a new
one each time.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import click
from ruamel.yaml import YAML

from benchmarks import options
from benchmarks.measuring import run_command
from benchmarks.photographs import Published, photographs
from benchmarks.prefect_server import prefect_server
from benchmarks.results import Figure, Row, save
from bloodcell.grids import load_grid
from bloodcell.settings import Settings
from bloodcell.store import open_store
from tasks.plan import plan
from tasks.plan_grid import prepare
from tasks.runners.process import child_environment, command

AT_MOST = 5.0
"""Bar of both figures, in seconds."""

_AGAIN = 3
"""Times that each round runs it with nothing changed: seconds of a machine that others use too vary by a half."""

_IMAGES = 480
_CHANGED = "changed"


def grid_file(path: Path, rows: int, dataset: str, units: int) -> Path:
    """Write the demo grid with few epochs, and a row `changed` with so many dense units in the place of its last."""
    grid = load_grid("demo")
    experiments = dict(list((grid.experiments or {}).items())[: rows - 1]) | {_CHANGED: {"dense_units": units}}
    base = grid.base | {"epochs": 2, "early_stopping": None}
    YAML().dump({"name": "rerun", "dataset": dataset, "base": base, "experiments": experiments}, path)
    return path


def run_grid(path: Path, environment: Mapping[str, str]) -> float:
    """Run the command to its end; returns its seconds."""
    return run_command(["-m", "flows.grid", "--grid", str(path)], environment).seconds


def run_alone(path: Path, settings: Settings, environment: Mapping[str, str]) -> float:
    """Train what a grid lacks, one experiment, as a grid run would, but by hand; returns its seconds."""
    store = open_store(settings.store)
    (lacking,) = (run for run in plan(store, load_grid(str(path))).runs if not run.done)
    prepare(store, [lacking])
    return run_command(command(lacking.spec.key)[1:], child_environment(settings, environment)).seconds


def measure(
    work: Path, dataset: str, settings: Settings, environment: Mapping[str, str], *, rows: int, rounds: int
) -> list[Row]:
    """Train the grid, then run it again in both ways; a line for each round."""
    grid = work / "rerun.yaml"
    run_grid(grid_file(grid, rows, dataset, units=100), environment)
    found: list[Row] = []
    for number in range(rounds):
        again = median(run_grid(grid, environment) for _ in range(_AGAIN))
        row = run_alone(grid_file(grid, rows, dataset, units=101 + 2 * number), settings, environment)
        changed = run_grid(grid_file(grid, rows, dataset, units=102 + 2 * number), environment)
        found.append(
            {
                "nothing changed, s": round(again, 2),
                "one row changed, s": round(changed, 2),
                "such a row alone, s": round(row, 2),
                "beside it, s": round(changed - row, 2),
            }
        )
    return found


@click.command(help=__doc__)
@click.option("--rows", default=7, show_default=True, help="Of the grid.")
@click.option("--rounds", default=5, show_default=True, help="Runs of each kind; the figures are their medians.")
@options.results
def main(rows: int, rounds: int, folder: Path) -> None:
    """Measure and save the figures."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        photographs(None, _IMAGES) as (images, described),
        prefect_server() as server,
    ):
        work = Path(temporary)
        dataset = Published.of(images, work / "store").info.name
        settings = Settings(store=(work / "store").as_uri(), cache=work / "cache", slots=1)
        own = {"BLOODCELL_STORE": settings.store, "BLOODCELL_CACHE": str(settings.cache)}
        found = measure(work, dataset, settings, os.environ | server | own, rows=rows, rounds=rounds)
    save(
        "rerun",
        __doc__,
        folder,
        images=described,
        settings={"rows": rows, "rounds": rounds},
        figures=[
            Figure(
                key="rerun",
                text=f"re-run of {rows} rows, nothing changed",
                value=median(float(row["nothing changed, s"]) for row in found),
                unit="s",
                at_most=AT_MOST,
            ),
            Figure(
                key="rerun-one-row",
                text="one row changed, beside that row's own time",
                value=median(float(row["beside it, s"]) for row in found),
                unit="s",
                at_most=AT_MOST,
            ),
        ],
        rows=found,
    )


if __name__ == "__main__":
    main()
