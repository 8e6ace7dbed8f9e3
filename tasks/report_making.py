"""Make the report of a grid run, and what the Prefect UI shows of it. Nothing is published here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.leakage import warning
from bloodcell.history import earlier_trainings
from bloodcell.report.building import build_report
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.folder import Folder
from bloodcell.report.headline import result_of
from bloodcell.report.nights import judge, trained_in
from bloodcell.report.reading import Reading
from bloodcell.report.rendering import escape
from bloodcell.report.rows import Row
from bloodcell.store import Store
from tasks import prefect_artifacts
from tasks.reporting import MadeReport, Shown


def make(
    store: Store, run: GridRun, info: DatasetInfo, reading: Reading, *, folder: Path, last: LastDrawings
) -> MadeReport:
    """Judge a night by those before it, and make the report.

    Args:
        store: Where results are.
        run: The grid run.
        info: The dataset it ran on.
        reading: What its trainings left there.
        folder: Made for the report.
        last: Charts that are drawn already.

    Raises:
        DataError: What the store holds of a result cannot be read.
        StorageError: The folder cannot be written, or there is no space.
    """
    rows, compared = reading.rows, reading.compared
    earlier = earlier_trainings(store, run) if run.nightly else {}
    run = run.model_copy(update={"verdicts": judge(trained_in(run, reading.results), earlier)}) if run.nightly else run
    files = build_report(run, info, rows, compared, earlier, folder=folder, last=last)
    result = result_of(rows, info, compared)
    shown: Shown | str
    try:
        shown = _shown(store, run, rows, files, " ".join(filter(None, [warning(run.leakage), result])))
    except Exception as error:  # noqa: BLE001 - a report is not lost as nobody can sign links to it
        shown = repr(error)
    return MadeReport(run, result, files, shown)


def _shown(store: Store, run: GridRun, rows: Sequence[Row], files: Folder, summary: str) -> Shown:
    now = datetime.now(UTC)
    return Shown(
        summary=str(escape(summary)),  # plain text: its own class would have who receives it import what escapes
        links=prefect_artifacts.links(store, run, now),
        table=prefect_artifacts.results_table(store, rows),
        report=prefect_artifacts.report(store, run, rows, files, now),
    )
