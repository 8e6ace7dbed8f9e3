"""What of a grid run needs pandas: the audit of its splits, and its report. No Prefect is loaded here.

The functions are called in a process of their own (`tasks.report_process`), or where there is none in the caller's:
so they import what they need when they are called, and what they take and return can be pickled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bloodcell.artifacts import GridRun, LeakageAudit, RowOutcome
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.lasting import lasting
from bloodcell.report.folder import Folder
from bloodcell.store import Store

if TYPE_CHECKING:
    from bloodcell.report.drawings import LastDrawings
    from bloodcell.report.reading import Reading


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

    for known in _ahead:
        if (known.store, known.info, known.configs) == (store.url, info, tuple(configs)):
            return known.leakage
    return audit_splits(read_manifest(store, info), configs, sources_known=info.sources_known)


@dataclass(frozen=True)
class _Ahead:
    """What `read_ahead` read: it answers those who ask for the same, and nobody else.

    Attributes:
        store: The store's URL.
        info: The dataset.
        configs: Of which the splits were audited.
        leakage: What they leak.
        outcomes: Of the trainings that were read.
        reading: What these left in the store.
    """

    store: str
    info: DatasetInfo
    configs: tuple[ExperimentConfig, ...]
    leakage: tuple[LeakageAudit, ...]
    outcomes: tuple[RowOutcome, ...]
    reading: "Reading"


_ahead: list[_Ahead] = []
"""One, or none: a process makes one report after the other."""


def read_ahead(store: Store, grid: GridConfig) -> None:
    """Audit and read a grid that has all its results already, for one who has nothing else to do until its flow asks.

    Args:
        store: Where its dataset and its results are.
        grid: The grid, of which a run would train nothing.

    Raises:
        BloodcellError: What the run itself will meet.
    """
    from bloodcell.report.charts import drawings_of, note_of
    from bloodcell.report.reading import read
    from tasks.plan import plan

    _ahead.clear()
    planned = plan(store, grid)
    if not all(run.done for run in planned.runs):
        return
    outcomes = planned.in_order(run.outcome() for run in planned.runs)
    reading = read(store, outcomes, planned.dataset)
    drawings_of(reading.rows, note_of(planned.dataset))  # rows keep their intervals, which are of thousands of samples
    configs = tuple(run.row.config for run in planned.runs)
    _ahead.append(_Ahead(store.url, planned.dataset, configs, planned.leakage, outcomes, reading))


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
        from bloodcell.report.reading import read
        from tasks import report_making

    asked = (store.url, info, run.rows)
    known = (ahead.reading for ahead in _ahead if (ahead.store, ahead.info, ahead.outcomes) == asked)
    reading = next(known, None) or read(store, run.rows, info)
    last = _drawings(store, run, folder)
    return report_making.make(store, run, info, reading, folder=folder / "report", last=last)


_drawn: "dict[Path, LastDrawings]" = {}
"""Charts of a report that is not made yet, by the folder in which it will be."""


def _drawings(store: Store, run: GridRun, folder: Path) -> "LastDrawings":
    from bloodcell.report.drawings import LastDrawings

    if folder not in _drawn:
        _drawn.clear()  # a process makes one report after the other
        _drawn[folder] = LastDrawings.of(store, run.grid.name, Folder(folder / "charts"))
    return _drawn[folder]
