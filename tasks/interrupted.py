"""What an interrupted night, or forced run, had trained already: the same command goes on with it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bloodcell import artifacts
from bloodcell.artifacts import Begun, BegunRun, BegunRuns, GridRun
from bloodcell.errors import ObjectNotFoundError
from bloodcell.published import published_runs
from bloodcell.store import Store

AT_ONCE = 16
"""Results looked for at once: most of the time of each is the way there and back."""


def trained_by_interrupted(store: Store, grid: str, kind: Begun) -> frozenset[str]:
    """Keys that have a result of nights, or forced runs, of a grid which published no report.

    A key that a later report names is that report's: what stands there is not made again, and not judged by another.
    """
    runs = _unpublished(store, grid, kind)
    if not runs:
        return frozenset()
    keys = sorted({key for run in runs for key in run.keys} - _named_since(store, grid, min(r.run_id for r in runs)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(partial(artifacts.is_done, store), keys)
        return frozenset(key for key, has_result in zip(keys, done, strict=True) if has_result)


def begin(store: Store, grid: str, kind: Begun, run_id: str, keys: Iterable[str]) -> None:
    """Keep what a night or a forced run sets out to train, what it goes on with included, beside what others left."""
    own = BegunRun(run_id=run_id, keys=tuple(keys))
    others = (run for run in _unpublished(store, grid, kind) if not set(run.keys) <= set(own.keys))
    artifacts.write_model(store, artifacts.begun_run(grid, kind), BegunRuns(runs=(*others, own)))


def _unpublished(store: Store, grid: str, kind: Begun) -> tuple[BegunRun, ...]:
    try:
        begun = artifacts.read_model(store, artifacts.begun_run(grid, kind), BegunRuns)
    except ObjectNotFoundError:
        return ()
    return tuple(run for run in begun.runs if not store.exists(artifacts.grid_run(grid, run.run_id, "grid.json")))


def _named_since(store: Store, grid: str, run_id: str) -> set[str]:
    """Keys of which a report newer than a run has the result."""
    try:
        newer = [run for run in published_runs(store, grid) if run.run_id > run_id]
    except ObjectNotFoundError:
        return set()
    reports = (artifacts.read_model(store, artifacts.grid_run(grid, run.run_id, "grid.json"), GridRun) for run in newer)
    return {row.key for report in reports for row in report.rows if row.status != "failed"}
