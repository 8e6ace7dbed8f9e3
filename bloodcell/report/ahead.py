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
        run = self.run.model_copy(update={"rows": tuple(outcomes)})
        rows = read_rows(self.store, run, self.info, read_results(self.store, run))
        draw(row_drawings(rows, note_of(self.info)), self.last)
