"""What of a report can be had before its grid run ends: the charts of a row are drawn once that row is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.charts import import_what_draws, note_of, row_drawings
from bloodcell.report.drawings import LastDrawings, draw
from bloodcell.report.reading import read_results, read_rows
from bloodcell.report.rendering import markdown_template
from bloodcell.store import Store


@dataclass(frozen=True)
class ChartsAhead:
    """Charts drawn while other rows train, for one who has nothing better to do than to wait for these.

    Args:
        store: Where results are.
        run: The grid run, as far as it is known; of its rows, the methods are told.
        info: The dataset it runs on.

    Attributes:
        last: The charts of the last report, and those drawn here.
    """

    store: Store
    run: GridRun
    info: DatasetInfo
    last: LastDrawings = field(init=False)

    def __post_init__(self) -> None:
        """Read what the last report drew."""
        object.__setattr__(self, "last", LastDrawings.of(self.store, self.run.grid.name))

    def get_ready(self, done: Sequence[RowOutcome]) -> None:
        """Import what draws, and use it once in vain: the first chart of a kind takes longest.

        Args:
            done: The trainings that have a result already.

        Raises:
            BloodcellError: One of them cannot be read.
        """
        import_what_draws()
        markdown_template()
        self._draw([one for one in done if one.name == done[0].name], LastDrawings())

    def draw(self, outcomes: Sequence[RowOutcome]) -> None:
        """Draw the charts of a row.

        Args:
            outcomes: Of its trainings.

        Raises:
            BloodcellError: One of them cannot be read.
        """
        self._draw(outcomes, self.last)

    def _draw(self, outcomes: Sequence[RowOutcome], known: LastDrawings) -> None:
        if outcomes:
            run = self.run.model_copy(update={"rows": tuple(outcomes)})
            rows = read_rows(self.store, run, self.info, read_results(self.store, run))
            draw(row_drawings(rows, note_of(self.info)), known)
