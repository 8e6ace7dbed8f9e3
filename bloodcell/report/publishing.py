"""Publish a report: the pointer to it comes last, so that no reader sees half of one."""

from concurrent.futures import ThreadPoolExecutor

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun
from bloodcell.report.folder import Folder
from bloodcell.store import AT_ONCE, Store


def publish(store: Store, run: GridRun, files: Folder) -> None:
    """Write a report, then the run's grid.json, and last the pointer to the grid's newest run.

    Args:
        store: Where to.
        run: The grid run.
        files: As from `bloodcell.report.building.build_report`.
    """
    names = [artifacts.grid_run(run.grid.name, run.run_id, file) for file in files]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(store.upload, map(files.path, files), names))
    artifacts.write_model(store, artifacts.grid_run(run.grid.name, run.run_id, "grid.json"), run)
    artifacts.write_model(store, artifacts.latest_grid_run(run.grid.name), LatestRun(run_id=run.run_id))
