"""Read what a report is made of: of every training its result, its source cells and its calibration, several at once.

With a bucket most of the time of each is the way there and back; with a folder it is pandas. A report shows the
pictures of one training of a row, so those of the others stay in the store.
"""

import io
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pandas as pd

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult, RowOutcome
from bloodcell.data.dataset import DatasetInfo
from bloodcell.evaluation import probability_column
from bloodcell.report.cells import CellCounts, cell_counts
from bloodcell.report.comparisons import Comparisons, compare
from bloodcell.report.diagnostics import ERRORS, GRADCAM, Diagnostics, read_diagnostics
from bloodcell.report.rows import Row, finished, rows_of
from bloodcell.store import Store

_AT_ONCE = 4
_COLUMNS = ("source", "label", "split", "predicted")
_SPLITS = ("test", "seen")
"""The images of training and validation, three quarters of all, are in no figure that is made here."""


@dataclass(frozen=True)
class Reading:
    """What the trainings of a run left in the store.

    Attributes:
        results: By key, of the trainings that did not fail.
        rows: The run's rows.
        compared: How the rows that have a result differ.
    """

    results: Mapping[str, ExperimentResult]
    rows: tuple[Row, ...]
    compared: Comparisons


def read(store: Store, outcomes: Sequence[RowOutcome], info: DatasetInfo) -> Reading:
    """Read what a run's trainings left in the store, and compare its rows.

    Args:
        store: Where it is.
        outcomes: What became of the trainings.
        info: The dataset it ran on.

    Raises:
        ObjectNotFoundError: A training that did not fail has no result, or a file that one names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    results = read_results(store, outcomes)
    rows = read_rows(store, outcomes, info, results)
    return Reading(results, rows, compare(finished(rows)))


def read_results(store: Store, outcomes: Sequence[RowOutcome]) -> dict[str, ExperimentResult]:
    """The results of trainings by key, but for those that failed.

    Raises:
        ObjectNotFoundError: One that did not fail has none.
    """
    keys = [outcome.key for outcome in outcomes if outcome.status != "failed"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(keys, pool.map(partial(artifacts.read_result, store), keys), strict=True))


def read_rows(
    store: Store, outcomes: Sequence[RowOutcome], info: DatasetInfo, results: Mapping[str, ExperimentResult]
) -> tuple[Row, ...]:
    """Rows with what their trainings left in the store.

    Args:
        store: Where it is.
        outcomes: What became of the trainings.
        info: The dataset they ran on.
        results: As from `read_results`.

    Raises:
        ObjectNotFoundError: A file that a result names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    pictured = _pictured(outcomes, results)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(results, pool.map(partial(_read_run, store, pictured), results.values()), strict=True))
    cells = {key: counts for key, (counts, _) in found.items()}
    diagnostics = {key: shown for key, (_, shown) in found.items()}
    return rows_of(outcomes, info, results, cells, diagnostics)


def _pictured(outcomes: Sequence[RowOutcome], results: Mapping[str, ExperimentResult]) -> Set[str]:
    """Of each row the key of the training whose pictures are shown: the one of the lowest seed that has any."""
    first: dict[str, str] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.config.seed):
        if (result := results.get(outcome.key)) and {ERRORS, GRADCAM} & set(result.files):
            first.setdefault(outcome.name, outcome.key)
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
