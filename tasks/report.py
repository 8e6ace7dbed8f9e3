"""Publish the report of a grid run, and show it in the Prefect UI."""

from collections.abc import Callable
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.publishing import publish
from bloodcell.store import Store
from tasks.labels import artifact_key
from tasks.reporting import MadeReport, Shown, make_report

Make = Callable[[Store, GridRun, DatasetInfo, Path], MadeReport]


@task(name="report", task_run_name="report", cache_policy=NO_CACHE)
def report_grid(
    store: Store, run: GridRun, info: DatasetInfo, folder: Path, make: Make = make_report
) -> tuple[GridRun, str, str]:
    """Make the report, publish it and show it.

    Args:
        store: Where all is.
        run: The grid run.
        info: The dataset it ran on.
        folder: For the files in the making.
        make: Makes the report, as `make_report` does.

    Returns:
        The run as published, with its verdicts, the report's URL, and its result in a sentence.
    """
    made = make(store, run, info, folder)
    publish(store, made.run, made.files)
    url = f"{store.url}/{artifacts.grid_run(run.grid.name, run.run_id, 'report.html')}"
    if reason := show_in_prefect(run.grid.name, made.shown):
        get_run_logger().warning("the report could not be shown here: %s", reason)
    return made.run, url, made.result


def show_in_prefect(grid: str, shown: Shown | str) -> str:
    """Create the artifacts `results-<grid>` and `report-<grid>` of the current task run.

    Args:
        grid: Its name.
        shown: What they show, or why nothing can be shown.

    Returns:
        Why they could not be created; empty where they were. The report is in the store all the same.
    """
    if isinstance(shown, str):
        return shown
    try:
        _create(grid, shown)
    except Exception as error:  # noqa: BLE001 - whatever ails the server
        return repr(error)
    return ""


def _create(grid: str, shown: Shown) -> None:
    create_table_artifact(
        shown.table, key=artifact_key("results", grid), description=f"{shown.summary}\n\n{shown.links}"
    )
    create_markdown_artifact(shown.report, key=artifact_key("report", grid), description=shown.summary)
