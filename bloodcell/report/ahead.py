"""What of a report can be had before its grid run ends: the charts of a row are drawn once that row is trained."""

from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.charts import note_of, row_drawings
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.reading import read_results, read_rows
from bloodcell.store import Store


def draw_ahead(store: Store, run: GridRun, info: DatasetInfo, last: LastDrawings) -> None:
    """Draw the charts of rows, for one who has nothing better to do than to wait for the others.

    Args:
        store: Where results are.
        run: The grid run, as far as it is known, with the outcomes of these rows alone.
        info: The dataset it runs on.
        last: The charts of the last report, which are not drawn again; the others are put there.

    Raises:
        BloodcellError: A result cannot be read.
    """
    rows = read_rows(store, run.rows, info, read_results(store, run.rows))
    for drawing in row_drawings(rows, note_of(info)).values():
        known = last.read(drawing.digest)
        last.since[drawing.digest] = drawing.draw(*drawing.arguments) if known is None else known
