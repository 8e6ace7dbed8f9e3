"""Build and publish the report of a grid run, and show it in the Prefect UI."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.leakage import warning
from bloodcell.formatting import counted
from bloodcell.history import earlier_trainings
from bloodcell.report import build_report, publish
from bloodcell.report.comparisons import Comparisons, compare
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.headline import headline
from bloodcell.report.nights import judge, trained_in
from bloodcell.report.reading import read_results, read_rows
from bloodcell.report.rendering import escape
from bloodcell.report.rows import Row, finished, unfinished
from bloodcell.store import Store
from tasks import prefect_artifacts
from tasks.prefect_artifacts import artifact_key


@task(name="report", task_run_name="report", cache_policy=NO_CACHE)
def report_grid(
    store: Store, run: GridRun, info: DatasetInfo, folder: Path, last: LastDrawings | None = None
) -> tuple[GridRun, str, str]:
    """Read the results there are, judge a night by those before it, and publish the report.

    Args:
        store: Where all is.
        run: The grid run.
        info: The dataset it ran on.
        folder: Made for the files in the making.
        last: Charts that are drawn already; those of the last report otherwise.

    Returns:
        The run as published, with its verdicts, the report's URL, and its result in a sentence.
    """
    results = read_results(store, run)
    rows = read_rows(store, run, info, results)
    compared = compare(finished(rows))
    earlier = earlier_trainings(store, run) if run.nightly else {}
    run = run.model_copy(update={"verdicts": judge(trained_in(run, results), earlier)}) if run.nightly else run
    last = last or LastDrawings.of(store, run.grid.name)
    files = build_report(run, info, rows, compared, earlier, folder=folder, last=last)
    publish(store, run, files)
    url = f"{store.url}/{artifacts.grid_run(run.grid.name, run.run_id, 'report.html')}"
    result = result_of(rows, info, compared)
    try:
        show_in_prefect(store, run, " ".join(filter(None, [warning(run.leakage), result])), rows, files)
    except Exception as error:  # noqa: BLE001 - whatever ails the server, the report is in the store
        get_run_logger().warning("the report could not be shown here: %r", error)
    return run, url, result


def show_in_prefect(store: Store, run: GridRun, summary: str, rows: Sequence[Row], files: Mapping[str, bytes]) -> None:
    """Create the artifacts `results-<grid>` and `report-<grid>` of the current task run."""
    now = datetime.now(UTC)
    summary = escape(summary)
    create_table_artifact(
        prefect_artifacts.results_table(store, rows),
        key=artifact_key("results", run.grid.name),
        description=f"{summary}\n\n{prefect_artifacts.links(store, run, now)}",
    )
    create_markdown_artifact(
        prefect_artifacts.report(store, run, rows, files, now),
        key=artifact_key("report", run.grid.name),
        description=summary,
    )


def result_of(rows: Sequence[Row], info: DatasetInfo, compared: Comparisons) -> str:
    """The best figure, and how many rows have none, for one who looks no further."""
    best = headline(rows, info, compared)
    if not best.figure:
        return best.rest
    label = f"Synthetic data: {best.label}" if info.synthetic else best.label.capitalize()
    failed = len(unfinished(rows))
    return f"{label}: {best.figure}." + (f" {failed} of {counted(len(rows), 'row')} failed." if failed else "")
