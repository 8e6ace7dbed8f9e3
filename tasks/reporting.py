"""What of a grid run needs pandas: the audit of its splits, and its report. No Prefect is loaded here.

The functions are called in a process of their own (`tasks.report_process`), or where there is none in the caller's:
so they import what they need when they are called, and what they take and return can be pickled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from bloodcell.artifacts import GridRun, LeakageAudit, RowOutcome
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.lasting import lasting
from bloodcell.report.folder import Folder
from bloodcell.store import Store

if TYPE_CHECKING:
    from bloodcell.report.drawings import LastDrawings
    from bloodcell.report.reading import Reading

T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """What the Prefect UI shows of a report.

    Attributes:
        summary: What came out on top and what leaks, as Markdown.
        links: To the report's files, as Markdown.
        table: The rows.
        report: The report as one Markdown text.
    """

    summary: str
    links: str
    table: list[dict[str, str]]
    report: str


@dataclass(frozen=True)
class MadeReport:
    """A report that is not published yet.

    Attributes:
        run: The grid run, with the verdicts on a night.
        result: What came out on top, in a sentence.
        files: The report.
        shown: What the UI is to show, or why it cannot, which is no reason to lose a report.
    """

    run: GridRun
    result: str
    files: Folder
    shown: Shown | str


class _Last(Generic[T]):
    """What was made last: a command asks for it ahead, while it imports Prefect, and its flow for the same again."""

    def __init__(self) -> None:
        self._asked: tuple[object, ...] | None = None
        self._made: list[T] = []

    def of(self, asked: tuple[object, ...], make: Callable[[], T]) -> T:
        """What is made of what is asked for; it is not made again where that is equal."""
        if self._asked != asked:
            self._made, self._asked = [make()], asked
        return self._made[0]


_audit: _Last[tuple[LeakageAudit, ...]] = _Last()
_reading: "_Last[Reading]" = _Last()


def audit_dataset(store: Store, info: DatasetInfo, configs: Sequence[ExperimentConfig]) -> tuple[LeakageAudit, ...]:
    """Read a dataset's manifest, and audit the splits of several configurations.

    Args:
        store: Where the dataset is.
        info: Its description.
        configs: Of which each distinct split is audited once.

    Raises:
        CorruptObjectError: The manifest is not the one that dataset.json records.
    """
    from bloodcell.data.auditing import audit_splits
    from bloodcell.data.manifest import read_manifest

    def audit() -> tuple[LeakageAudit, ...]:
        return audit_splits(read_manifest(store, info), configs, sources_known=info.sources_known)

    return _audit.of((store.url, info, tuple(configs)), audit)


def read_ahead(store: Store, outcomes: Sequence[RowOutcome], info: DatasetInfo) -> None:
    """Read what trainings left in the store, and compute their intervals, for the report that will be made of them.

    Args:
        store: Where it is.
        outcomes: Of all trainings of a run, in a report's order.
        info: The dataset it runs on.

    Raises:
        BloodcellError: What the report itself would meet.
    """
    from bloodcell.report.rows import compute_intervals, finished

    compute_intervals(finished(_read(store, outcomes, info).rows))


def _read(store: Store, outcomes: Sequence[RowOutcome], info: DatasetInfo) -> "Reading":
    from bloodcell.report import reading

    return _reading.of((store.url, tuple(outcomes), info), lambda: reading.read(store, outcomes, info))


def warm_up() -> None:
    """Import what any report needs, and compile its templates: a second, for one who has nothing else to do yet."""
    with lasting():
        from bloodcell.data import auditing  # noqa: F401
        from bloodcell.report.rendering import compile_templates
        from tasks import report_making  # noqa: F401

    compile_templates()


def get_ready_to_draw() -> None:
    """Import what draws, which a report needs where rows have trained."""
    from bloodcell.report.charts import import_what_draws

    import_what_draws()


def draw(store: Store, run: GridRun, info: DatasetInfo, folder: Path) -> None:
    """Draw the charts of rows before a report is made; see `bloodcell.report.ahead.draw_ahead`.

    Args:
        store: Where results are.
        run: The grid run, as far as it is known, with the outcomes of these rows alone.
        info: The dataset it runs on.
        folder: Where the report will be made.
    """
    from bloodcell.report.ahead import draw_ahead

    draw_ahead(store, run, info, _drawings(store, run, folder))


def make_report(store: Store, run: GridRun, info: DatasetInfo, folder: Path) -> MadeReport:
    """Make a report; see `tasks.report_making.make`.

    Args:
        store: Where results are.
        run: The grid run.
        info: The dataset it ran on.
        folder: One that is there, for the files in the making; charts that `draw` drew there are not drawn again.

    Raises:
        DataError: What the store holds of a result cannot be read.
        StorageError: The folder cannot be written, or there is no space.
    """
    with lasting():
        from tasks import report_making

    reading, last = _read(store, run.rows, info), _drawings(store, run, folder)
    return report_making.make(store, run, info, reading, folder=folder / "report", last=last)


_drawn: "dict[Path, LastDrawings]" = {}
"""Charts of a report that is not made yet, by the folder in which it will be."""


def _drawings(store: Store, run: GridRun, folder: Path) -> "LastDrawings":
    from bloodcell.report.drawings import LastDrawings

    if folder not in _drawn:
        _drawn.clear()  # a process makes one report after the other
        _drawn[folder] = LastDrawings.of(store, run.grid.name, Folder(folder / "charts"))
    return _drawn[folder]
