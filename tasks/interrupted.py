"""What an interrupted night, or forced run, had trained already: the same command goes on with it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bloodcell import artifacts
from bloodcell.artifacts import Begun, BegunRun, BegunRuns, GridRun
from bloodcell.errors import ObjectNotFoundError
from bloodcell.published import published_runs
from bloodcell.store import AT_ONCE, Store

_MOST_LEFT = 4
"""Interrupted runs that are kept though none of their kind goes on with them: of another dataset, or of other code."""


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


def begin(store: Store, grid: str, kind: Begun, run_id: str, keys: Iterable[str], *, restart: bool = False) -> BegunRun:
    """Keep what a night or a forced run sets out to train, what it goes on with included, beside what others left.

    Args:
        store: Where it is kept.
        grid: The grid's name.
        kind: What is begun.
        run_id: Of the run.
        keys: What it sets out to train.
        restart: Whether it forgets the nights before.

    Returns:
        What was kept: it also restarts where a night that it goes on with was to. One that shares no experiment with
        it, as when the code has changed since, is not gone on with, and has to be restarted again.
    """
    left, wanted = _unpublished(store, grid, kind), set(keys)
    own = BegunRun(
        run_id=run_id,
        keys=tuple(sorted(wanted)),
        restart=restart or any(run.restart and wanted & set(run.keys) for run in left),
    )
    others = [run for run in left if not set(run.keys) <= wanted]
    artifacts.write_model(store, artifacts.begun_run(grid, kind), BegunRuns(runs=(*others[-_MOST_LEFT:], own)))
    return own


def _unpublished(store: Store, grid: str, kind: Begun) -> list[BegunRun]:
    try:
        begun = artifacts.read_model(store, artifacts.begun_run(grid, kind), BegunRuns)
    except ObjectNotFoundError:
        return []
    return [run for run in begun.runs if not store.exists(artifacts.grid_run(grid, run.run_id, "grid.json"))]


def _named_since(store: Store, grid: str, run_id: str) -> set[str]:
    """Keys of which a report newer than a run has the result."""
    try:
        newer = [run for run in published_runs(store, grid) if run.run_id > run_id]
    except ObjectNotFoundError:
        return set()
    names = (artifacts.grid_run(grid, run.run_id, "grid.json") for run in newer)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reports = pool.map(lambda name: artifacts.read_model(store, name, GridRun), names)
        return {row.key for report in reports for row in report.rows if row.status != "failed"}
