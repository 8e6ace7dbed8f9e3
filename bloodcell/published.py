"""The reports that are in the store: which there are, what they say in a line, and a copy of one on this machine.

Apart from `bloodcell.report`, which draws and takes seconds to import.
"""

import csv
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.config import ExperimentConfig
from bloodcell.errors import CorruptObjectError, ObjectNotFoundError
from bloodcell.files import storage_errors, whole_file
from bloodcell.store import Store
from bloodcell.store.base import parts_of

LATEST = "latest"
"""What the newest run is called."""

_READERS = 8
"""Objects read at once: each is small, and most of its time is the way there and back."""

_NAMED_AT_MOST = 5
"""Runs that an error names."""


@dataclass(frozen=True)
class PublishedRun:
    """A run of a grid that has a report."""

    grid: str
    run_id: str


@dataclass(frozen=True)
class Best:
    """The highest test accuracy, a fraction, and the rows that have it."""

    accuracy: float
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """A report in a line.

    Attributes:
        finished: When the run ended.
        dataset: Name of the dataset.
        done: Rows that have a result.
        failed: Rows that have none.
        best: None where no row is done, or the rows are not certain to be tested on the same images.
        marks: What tells the run from others of its grid: `night`, `restart` or `forced`; the seeds of a row, another
            split than the default, and what was set for all rows, as in `width=0.25`.
    """

    finished: datetime
    dataset: str
    done: int
    failed: int
    best: Best | None
    marks: tuple[str, ...] = ()


def published_runs(store: Store, grid: str | None = None) -> list[PublishedRun]:
    """The runs that have a report, the newest first.

    Args:
        store: Where they are.
        grid: Only this grid's.

    Raises:
        ObjectNotFoundError: There is none, or none of that grid.
    """
    runs = _runs_below(store, f"grids/{grid}/" if grid else "grids/")
    if runs:
        return runs
    grids = sorted({run.grid for run in _runs_below(store, "grids/")})
    if not grids:
        raise ObjectNotFoundError(
            f"{store.url} holds no report",
            remedy="run a grid, or wait for the end of one that runs; or set BLOODCELL_STORE to where one ran",
        )
    raise ObjectNotFoundError(
        f"grid is {grid!r}; {store.url} holds reports of {', '.join(grids)}", remedy="choose one of these"
    )


def _runs_below(store: Store, prefix: str) -> list[PublishedRun]:
    names = (name.split("/") for name in store.list(prefix))
    # grid.json comes last: a run that has one has its whole report.
    runs = [PublishedRun(parts[1], parts[2]) for parts in names if len(parts) == 4 and parts[3] == "grid.json"]
    return sorted(runs, key=lambda run: run.run_id, reverse=True)  # an id begins with the time of the start


def find_run(store: Store, grid: str | None = None, run: str = LATEST) -> PublishedRun:
    """The run that is meant.

    Args:
        store: Where it is.
        grid: Its grid; any where left out.
        run: Its id or how that begins, the newest where several fit; or `latest`.

    Raises:
        ObjectNotFoundError: There is none.
    """
    runs = published_runs(store, grid)
    fitting = (item for item in runs if run == LATEST or item.run_id.startswith(run))
    if found := next(fitting, None):
        return found
    newest = ", ".join(item.run_id for item in runs[:_NAMED_AT_MOST])
    raise ObjectNotFoundError(
        f"run is {run!r}; the newest of {grid or 'all grids'} in {store.url}: {newest}",
        remedy=f"choose one of these or `{LATEST}`; `bloodcell report list` shows more",
    )


def summarize(store: Store, run: PublishedRun) -> Summary:
    """What a run's report says in a line.

    Raises:
        ObjectNotFoundError: The run is gone.
        CorruptObjectError: Its grid.json does not validate, or its results.csv is none.
    """
    name = artifacts.grid_run(run.grid, run.run_id, "grid.json")
    description = artifacts.read_model(store, name, GridRun)
    done = [row for row in description.rows if row.status != "failed"]
    names = {row.name for row in done}
    name = artifacts.grid_run(run.grid, run.run_id, "results.csv")
    try:
        best = _best(store.read(name).decode()) if _certainly_tested_alike(done) else None
    except (ValueError, KeyError, csv.Error) as error:
        raise CorruptObjectError(
            f"{name} in {store.url} is no table of results: {error!r}", remedy="run the grid again"
        ) from error
    return Summary(
        finished=description.finished,
        dataset=description.dataset,
        done=len(names),
        failed=len({row.name for row in description.rows} - names),
        best=best,
        marks=_marks(description),
    )


def _marks(run: GridRun) -> tuple[str, ...]:
    kind = "forced" if run.forced else {None: "", "compare": "night", "restart": "restart"}[run.nightly]
    splits = sorted({row.config.split for row in run.rows})
    default = ExperimentConfig.model_fields["split"].default
    seeds = {"seeds": run.grid.seeds} if run.grid.seeds > 1 else {}
    split = {"split": ",".join(splits)} if splits != [default] else {}
    settings = seeds | split | {field: value for field, value in run.overrides.items() if field != "split"}
    return (*filter(None, [kind]), *(f"{field}={_short(field, value)}" for field, value in settings.items()))


def _short(field: str, value: object) -> object:
    """A setting as it may be written, but for the folders of weights, which take a line and tell nothing apart."""
    if isinstance(value, dict):
        return json.dumps(value)  # which is YAML
    return PurePosixPath(value).name if field == "weights" and isinstance(value, str) else value


def _certainly_tested_alike(rows: list[RowOutcome]) -> bool:
    """Whether the rows' settings say so; the report, which knows the dataset, may rank rows that differ in them."""
    return len({row.config.choice_of_test for row in rows}) == 1


def _best(results: str) -> Best | None:
    """The best rows of a results.csv, in which those that failed have no figures."""
    lines = csv.DictReader(results.splitlines())
    accuracies = {line["row"]: float(line["test_accuracy"]) for line in lines if line.get("test_accuracy")}
    if not accuracies:
        return None
    highest = max(accuracies.values())
    return Best(highest, tuple(row for row, accuracy in accuracies.items() if accuracy == highest))


def fetch(
    store: Store, run: PublishedRun, folder: Path, progress: Callable[[int, int], None] = lambda *_: None
) -> Path:
    """Copy a report into a folder; what is there already of that run is written over.

    Args:
        store: Where the report is.
        run: As from `find_run`.
        folder: Where it goes, below the names of grid and run.
        progress: Called with the files done and the files in all.

    Returns:
        The path of report.html.

    Raises:
        DataError: An object's name leaves the report.
        StorageError: The folder cannot be written.
    """
    root = artifacts.grid_run(run.grid, run.run_id, "")
    names = list(store.list(root))
    for name in names:
        parts_of(name)  # a bucket may hold names that climb out of the folder
    target = folder / run.grid / run.run_id

    def copy(name: str) -> None:
        data = store.read(name)
        path = target / PurePosixPath(name).relative_to(root)
        with storage_errors(path.name, str(path.parent), "--to"), whole_file(path) as temporary:
            temporary.write_bytes(data)

    with ThreadPoolExecutor(_READERS) as pool:
        for done, _ in enumerate(pool.map(copy, names), start=1):
            progress(done, len(names))
    return target / "report.html"
