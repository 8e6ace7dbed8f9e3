"""Build the report of a grid run out of its parts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bloodcell.artifacts import SPLITS, GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report import headline, notes, provenance
from bloodcell.report.cautions import cautions
from bloodcell.report.charts import MOST_NAMES, drawings_of, nights_chart, note_of
from bloodcell.report.comparisons import Comparisons
from bloodcell.report.drawings import LastDrawings, draw
from bloodcell.report.evidence import cells_note
from bloodcell.report.folder import Files, Folder
from bloodcell.report.machines import machine_differences
from bloodcell.report.night_texts import night_line
from bloodcell.report.nights import Trainings
from bloodcell.report.reflections import reflect
from bloodcell.report.rendering import report_html, report_markdown
from bloodcell.report.rows import Row, finished
from bloodcell.report.table import results_csv, results_table, runs_csv
from bloodcell.report.verdicts import MOST_LISTED
from bloodcell.store import AT_ONCE


def build_report(
    run: GridRun,
    info: DatasetInfo,
    rows: tuple[Row, ...],
    compared: Comparisons,
    earlier: Trainings,
    *,
    folder: Path,
    last: LastDrawings | None = None,
) -> Folder:
    """Draw and write the report; nothing is stored.

    Args:
        run: The grid run with the outcome of every row.
        info: The dataset it ran on.
        rows: Its rows, as from `bloodcell.report.rows.rows_of`. Rows without a result appear with their reason.
        compared: The rows with one another, as from `bloodcell.report.comparisons.compare`.
        earlier: Of a night, the trainings of the nights before, by row.
        folder: Made for the report, which is written there.
        last: Charts that are not drawn again.

    Returns:
        By file name below the grid run: report.md, report.html, results.csv, runs.csv, drawings.json and the pictures
        below plots/.

    Raises:
        ObjectNotFoundError: A picture that a result names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
        StorageError: The folder cannot be written, or there is no space.
    """
    note = note_of(info)
    files = Folder(folder)
    draw(drawings_of(rows, note), last or LastDrawings(), files)
    _add_photographs(files, rows)
    if run.nightly and (any(earlier.values()) or any(row.status == "trained" for row in run.rows)):
        files["plots/nights.png"] = nights_chart(run, rows, earlier, f"Test accuracy by night{note}")
    title = headline.title(run, info)
    markdown = report_markdown(
        title=title, night_plot="plots/nights.png" in files, **_context(run, info, rows, compared)
    )
    files["report.md"] = markdown.encode()
    files.put("report.html", report_html(markdown, files, title))
    files["results.csv"] = results_csv(rows, compared)
    files["runs.csv"] = runs_csv(rows)
    return files


def _add_photographs(files: Files, rows: tuple[Row, ...]) -> None:
    """Put in what needs the images themselves, and the experiments drew."""
    photographs: dict[str, Callable[[], bytes]] = {}
    for row in finished(rows):
        shown = {"errors.jpg": row.diagnostics.read_errors, "gradcam.jpg": row.diagnostics.read_gradcam}
        photographs |= {f"plots/{row.name}-{file}": read for file, read in shown.items() if read}

    def add(file: str) -> None:
        files[file] = photographs[file]()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(add, photographs))


def _context(run: GridRun, info: DatasetInfo, rows: tuple[Row, ...], compared: Comparisons) -> dict[str, Any]:
    """What the template names; plain values, which it escapes."""
    reflections = reflect(rows, compared)
    return {
        "run": run,
        "info": info,
        "rows": rows,
        "any_result": bool(finished(rows)),
        "splits": SPLITS,
        "headline": headline.headline(rows, info, compared),
        "distinction": headline.distinction(run, rows),
        "cautions": cautions(rows, info, run),
        "table": results_table(rows, compared),
        "accuracy": notes.accuracy(rows, compared),
        "compared": len(compared.pairs),
        "most_listed": MOST_LISTED,
        "intervals": any(row.cells for row in finished(rows)),
        "named": len(finished(rows)) <= MOST_NAMES,
        "times_compare": not machine_differences(finished(rows)),
        "bold": notes.bold(rows),
        "learning_time": notes.learning_time(rows),
        "architecture": notes.architecture(rows),
        "cells_note": cells_note(rows),
        "seen": notes.seen(rows, info),
        "several": notes.several(rows),
        "runs": notes.runs(compared),
        "calibrated": any(row.diagnostics.calibration for row in finished(rows)),
        "train_figures": notes.train_figures(rows),
        "reflections": reflections,
        "shared": provenance.shared_settings(rows),
        "facts": provenance.facts(run, info, rows),
        "night_words": notes.night(run),
        "nights": tuple(map(night_line, run.verdicts)),
        "trainings": provenance.trainings(rows),
        "seeds": max((len(row.results) for row in finished(rows)), default=1),
    }
