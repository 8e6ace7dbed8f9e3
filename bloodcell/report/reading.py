"""Read what a report is made of: of every training its result, its source cells and its calibration, several at once.

With a bucket most of the time of each is the way there and back; with a folder it is pandas. A report shows the
pictures of one training of a row, so those of the others stay in the store.
"""

import io
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pandas as pd

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult, GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.evaluation import probability_column
from bloodcell.report.cells import CellCounts, cell_counts
from bloodcell.report.diagnostics import ERRORS, GRADCAM, Diagnostics, read_diagnostics
from bloodcell.report.rows import Row, rows_of
from bloodcell.store import Store

_AT_ONCE = 4
_COLUMNS = ("source", "label", "split", "predicted")
_SPLITS = ("test", "seen")
"""The images of training and validation, three quarters of all, are in no figure that is made here."""


def read_results(store: Store, run: GridRun) -> dict[str, ExperimentResult]:
    """The results of a run's trainings by key, but for those that failed.

    Raises:
        ObjectNotFoundError: One that did not fail has none.
    """
    keys = [row.key for row in run.rows if row.status != "failed"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(keys, pool.map(partial(artifacts.read_result, store), keys), strict=True))


def read_rows(
    store: Store, run: GridRun, info: DatasetInfo, results: Mapping[str, ExperimentResult]
) -> tuple[Row, ...]:
    """The run's rows with what their trainings left in the store.

    Args:
        store: Where it is.
        run: The grid run.
        info: The dataset it ran on.
        results: As from `read_results`.

    Raises:
        ObjectNotFoundError: A file that a result names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    pictured = _pictured(run, results)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = dict(zip(results, pool.map(partial(_read_run, store, pictured), results.values()), strict=True))
    cells = {key: counts for key, (counts, _) in read.items()}
    diagnostics = {key: shown for key, (_, shown) in read.items()}
    return rows_of(run, info, results, cells, diagnostics)


def _pictured(run: GridRun, results: Mapping[str, ExperimentResult]) -> Set[str]:
    """Of each row the key of the training whose pictures are shown: the one of the lowest seed that has any."""
    first: dict[str, str] = {}
    for row in sorted(run.rows, key=lambda row: row.config.seed):
        if (result := results.get(row.key)) and {ERRORS, GRADCAM} & set(result.files):
            first.setdefault(row.name, row.key)
    return frozenset(first.values())


def _read_run(store: Store, pictured: Set[str], result: ExperimentResult) -> tuple[dict[str, CellCounts], Diagnostics]:
    """What became of a result's source cells, empty where they are not known, and what it shows of itself."""
    pictures = result.key in pictured
    if "predictions.parquet" not in result.files:
        return {}, read_diagnostics(store, result, None, pictures=pictures)
    columns = [*_COLUMNS, *map(probability_column, result.labels)]
    data = io.BytesIO(artifacts.read_file(store, result, "predictions.parquet"))
    predictions = pd.read_parquet(data, columns=columns, filters=[("split", "in", _SPLITS)])
    cells = cell_counts(predictions, result.labels) if result.sources_known else {}
    return cells, read_diagnostics(store, result, predictions, pictures=pictures)
