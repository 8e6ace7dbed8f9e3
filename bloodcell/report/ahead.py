"""What of a report can be had before its grid run ends: the charts of a row are drawn once that row is trained."""

from collections.abc import Sequence
from pathlib import Path

from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.charts import import_what_draws, note_of, row_drawings
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.folder import Folder
from bloodcell.report.reading import read_results, read_rows
from bloodcell.report.rendering import markdown_template
from bloodcell.store import Store


class ChartsAhead:
    """Charts drawn while other rows train, for one who has nothing better to do than to wait for these.

    Args:
        store: Where results are, and the last report.
        run: The grid run, as far as it is known; of its rows, `draw` is told.
        info: The dataset it runs on.
        folder: Made for the charts, which stay there.

    Attributes:
        last: The charts of the last report, and those drawn here.
    """

    def __init__(self, store: Store, run: GridRun, info: DatasetInfo, folder: Path) -> None:
        self.last = LastDrawings.of(store, run.grid.name, Folder(folder))
        self._store = store
        self._run = run
        self._info = info

    def get_ready(self) -> None:
        """Import what draws, and compile the report's template."""
        import_what_draws()
        markdown_template()

    def draw(self, outcomes: Sequence[RowOutcome]) -> None:
        """Draw the charts of a row.

        Args:
            outcomes: Of its trainings.

        Raises:
            BloodcellError: One of them cannot be read.
        """
        run = self._run.model_copy(update={"rows": tuple(outcomes)})
        rows = read_rows(self._store, run, self._info, read_results(self._store, run))
        for drawing in row_drawings(rows, note_of(self._info)).values():
            known = self.last.read(drawing.digest)
            self.last.since[drawing.digest] = drawing.draw(*drawing.arguments) if known is None else known
