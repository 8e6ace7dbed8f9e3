"""What the nights before a grid run measured."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult, GridRun
from bloodcell.config import ExperimentConfig
from bloodcell.errors import DataError
from bloodcell.published import PublishedRun, published_runs
from bloodcell.store import Store

_READERS = 16
"""Objects read at once: each is small, and most of its time is the way there and back."""


def earlier_trainings(store: Store, run: GridRun) -> dict[str, tuple[ExperimentResult, ...]]:
    """The trainings that a night is compared with, by row, the oldest first.

    These are all that the nights before had of a row of that name, on the same images, from the last night on that was
    told to restart; and those that the night itself reuses. A training that was found worse is no measure for the next.
    An object that cannot be read is another run's to mend, and left out.

    Args:
        store: Where the runs are.
        run: The night, not yet published.
    """
    if run.nightly == "restart":
        return {row.name: () for row in run.rows}
    tests = {row.name: _tested_on(row.config) for row in run.rows}
    keys: dict[str, set[str]] = {name: set() for name in tests}
    left_out = {row.key for row in run.rows if row.status == "trained"}
    for night in (run, *_nights_before(store, run)):
        worse = {verdict.row for verdict in night.verdicts if verdict.verdict == "worse"}
        left_out |= {row.key for row in night.rows if row.name in worse and row.status == "trained"}
        for row in night.rows:
            if row.status != "failed" and tests.get(row.name) == _tested_on(row.config):
                keys[row.name].add(row.key)
    with ThreadPoolExecutor(_READERS) as pool:
        read = {name: pool.map(partial(_result, store), sorted(found - left_out)) for name, found in keys.items()}
        return {
            name: tuple(sorted(filter(None, results), key=lambda result: result.finished))
            for name, results in read.items()
        }


def _tested_on(config: ExperimentConfig) -> tuple[object, ...]:
    return config.split, config.test_fraction


def _nights_before(store: Store, run: GridRun) -> Iterator[GridRun]:
    """The nights of this grid on this dataset version, the newest first, up to one that restarted."""
    try:
        published = published_runs(store, run.grid.name)
    except DataError:  # it is the first
        return
    with ThreadPoolExecutor(_READERS) as pool:
        for night in pool.map(partial(_grid_run, store), published):
            if night and night.nightly and night.dataset_version == run.dataset_version:
                yield night
                if night.nightly == "restart":
                    return


def _grid_run(store: Store, run: PublishedRun) -> GridRun | None:
    try:
        return artifacts.read_model(store, artifacts.grid_run(run.grid, run.run_id, "grid.json"), GridRun)
    except DataError:
        return None


def _result(store: Store, key: str) -> ExperimentResult | None:
    try:
        return artifacts.read_result(store, key)
    except DataError:
        return None
