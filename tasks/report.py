"""Build and publish the report of a grid run."""

from prefect import task
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report import build_report, publish
from bloodcell.store import Store


@task(name="report")
def report_grid(store: Store, run: GridRun, info: DatasetInfo) -> str:
    """Read the results of the rows that have one, publish the report, and return its URL."""
    results = {row.key: artifacts.read_result(store, row.key) for row in run.rows if row.status != "failed"}
    publish(store, run, build_report(run, info, results))
    url = f"{store.url}/{artifacts.grid_run(run.grid.name, run.run_id, 'report.html')}"
    get_run_logger().info("report: %s", url)
    return url
