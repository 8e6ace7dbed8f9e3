"""A grid that is run again, with a Prefect server that is up: the whole command `python -m flows.grid`, by wall-clock.

Seven rows of MobileNet 0.25 at 48 px are trained once. Then the same command runs again with nothing changed; and with
one row changed, of which the task run's time, as the server has it, is taken off. A changed row is a new one each time.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import click
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName
from prefect.client.schemas.sorting import TaskRunSort
from ruamel.yaml import YAML

from benchmarks import options
from benchmarks.measuring import run_command
from benchmarks.photographs import Published, photographs
from benchmarks.prefect_server import prefect_server
from benchmarks.results import Figure, Row, save
from bloodcell.grids import load_grid
from deployments.local.orchestration import api

AT_MOST = 5.0
"""Bar of both figures, in seconds."""

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


def row_seconds(url: str) -> float:
    """How long the newest task run of the row `changed` ran."""
    of_row = TaskRunFilter(name=TaskRunFilterName(any_=[_CHANGED]))
    with api(url) as client:
        (run,) = client.read_task_runs(task_run_filter=of_row, sort=TaskRunSort.EXPECTED_START_TIME_DESC, limit=1)
    return run.total_run_time.total_seconds()


def measure(work: Path, dataset: str, environment: Mapping[str, str], *, rows: int, rounds: int) -> list[Row]:
    """Train the grid, then run it again in both ways; a line for each round."""
    grid, url = work / "rerun.yaml", environment["PREFECT_API_URL"]
    run_grid(grid_file(grid, rows, dataset, units=100), environment)
    found: list[Row] = []
    for number in range(rounds):
        again = run_grid(grid, environment)
        changed = run_grid(grid_file(grid, rows, dataset, units=101 + number), environment)
        row = row_seconds(url)
        found.append(
            {
                "nothing changed, s": round(again, 2),
                "one row changed, s": round(changed, 2),
                "that row, s": round(row, 2),
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
        store = Path(temporary) / "store"
        dataset = Published.of(images, store).info.name
        own = {"BLOODCELL_STORE": store.as_uri(), "BLOODCELL_CACHE": str(Path(temporary) / "cache")}
        found = measure(Path(temporary), dataset, os.environ | server | own, rows=rows, rounds=rounds)
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
