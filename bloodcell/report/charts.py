"""The charts of a report: of what each is, and what draws it.

Matplotlib is imported with the first chart that is drawn, or while experiments train: that takes half a second, and
where nothing changed all are those of the last report.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bloodcell.artifacts import EpochRecord, GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.formatting import setting_text
from bloodcell.report.calibration import Calibration
from bloodcell.report.cells import by_cell
from bloodcell.report.drawings import Drawing, code_digest
from bloodcell.report.nights import Trainings, expected, trained_in
from bloodcell.report.rows import FinishedRow, Row, finished

MOST_NAMES = 40
"""Rows whose names the comparison has room for."""


def note_of(info: DatasetInfo) -> str:
    """What the titles of all charts say of the dataset."""
    return " (synthetic images)" if info.synthetic else ""


def drawings_of(rows: tuple[Row, ...], note: str) -> dict[str, Drawing]:
    """The charts of the rows that have a result, by file, none of them drawn yet.

    Args:
        rows: Of the grid run.
        note: Added to the titles.
    """
    done = finished(rows)
    if not done:
        return {}
    title = f"Accuracy against learning time{note}"
    figures = {row.name: _figures(row) for row in done}
    comparison = Drawing(_comparison, (figures, title, len(done) <= MOST_NAMES))
    return {"plots/comparison.png": comparison} | row_drawings(rows, note)


def row_drawings(rows: tuple[Row, ...], note: str) -> dict[str, Drawing]:
    """Those charts that are of a row alone."""
    found = {}
    for row in finished(rows):
        rate = setting_text(row.config, "learning_rate")
        # Spaces at which no line breaks.
        title = f"{row.name}\n{row.config.architecture}, learning\N{NO-BREAK SPACE}rate\N{NO-BREAK SPACE}{rate}{note}"
        histories = [result.history for result in row.results]
        found[f"plots/{row.name}-curves.png"] = Drawing(_curves, (histories, title))
        several = f", {len(row.results)} trainings" if len(row.results) > 1 else ""
        found |= _of_test(row, f"{row.name}: test{several}{note}")
    return found


def import_what_draws() -> None:
    """Have matplotlib and all that draws with it ready, for one who has nothing better to do."""
    from bloodcell.report import confusion, night_plot, plots, reliability  # noqa: F401

    code_digest()  # of the code that was just imported: the file may be another when the first row is trained


def nights_chart(run: GridRun, rows: tuple[Row, ...], earlier: Trainings, title: str) -> bytes:
    """The accuracies night by night, drawn: each night has one more.

    Args:
        run: The grid run, of a night.
        rows: Its rows.
        earlier: The trainings of the nights before, by row.
        title: Printed above.
    """
    from bloodcell.report.night_plot import night_plot

    tonight = trained_in(run, {result.key: result for row in finished(rows) for result in row.results})
    worse = frozenset(verdict.row for verdict in run.verdicts if verdict.verdict == "worse")
    return night_plot(tonight, earlier, expected(tonight, earlier), worse, title)


def _of_test(row: FinishedRow, title: str) -> dict[str, Drawing]:
    """What a row did on the test images."""
    runs = row.cells["test"].runs.values() if row.cells else ()
    cells = np.sum([by_cell(run.confusion) for run in runs], axis=0) if runs else None
    confused = Drawing(_confusion, (row.test.confusion, row.result.labels, title, cells))
    found = {f"plots/{row.name}-confusion.png": confused}
    if shown := row.diagnostics.calibration:
        found[f"plots/{row.name}-reliability.png"] = Drawing(_reliability, (shown, title))
    return found


_Figures = tuple[float, Mapping[str, float], Mapping[str, tuple[float, float]]]
"""The fields of `bloodcell.report.plots.Point`."""


def _figures(row: FinishedRow) -> _Figures:
    accuracies = {split: metrics.accuracy for split, metrics in row.metrics.items()}
    intervals = {split: (cells.accuracy.low, cells.accuracy.high) for split, cells in row.cells.items()}
    return row.seconds, accuracies, intervals


def _comparison(rows: Mapping[str, _Figures], title: str, named: bool) -> bytes:
    from bloodcell.report import plots

    return plots.comparison({name: plots.Point(*figures) for name, figures in rows.items()}, title, named=named)


def _curves(histories: Sequence[Sequence[EpochRecord]], title: str) -> bytes:
    from bloodcell.report import plots

    return plots.curves(histories, title)


def _confusion(
    images: npt.ArrayLike, labels: Sequence[str], title: str, cells: npt.NDArray[np.float64] | None
) -> bytes:
    from bloodcell.report import confusion

    return confusion.matrices(images, labels, title, cells)


def _reliability(calibration: Calibration, title: str) -> bytes:
    from bloodcell.report import reliability

    return reliability.reliability_diagram(calibration, title)
