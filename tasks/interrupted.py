"""What an interrupted night, or forced run, had trained already: the same command goes on with it."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bloodcell import artifacts
from bloodcell.artifacts import Begun, BegunRun
from bloodcell.errors import ObjectNotFoundError
from bloodcell.store import Store

AT_ONCE = 16
"""Results looked for at once: most of the time of each is the way there and back."""


def trained_by_interrupted(store: Store, grid: str, kind: Begun) -> frozenset[str]:
    """Keys that have a result of the newest night or forced run of a grid, where it published no report.

    That a key has a result and no report names it would not do: another grid may have trained it, or a plain run.
    """
    try:
        begun = artifacts.read_model(store, artifacts.begun_run(grid, kind), BegunRun)
    except ObjectNotFoundError:
        return frozenset()
    if store.exists(artifacts.grid_run(grid, begun.run_id, "grid.json")):
        return frozenset()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(partial(artifacts.is_done, store), begun.keys)
        return frozenset(key for key, has_result in zip(begun.keys, done, strict=True) if has_result)


def begin(store: Store, grid: str, kind: Begun, run_id: str, keys: Iterable[str]) -> None:
    """Keep what a night or a forced run sets out to train, what it goes on with included."""
    artifacts.write_model(store, artifacts.begun_run(grid, kind), BegunRun(run_id=run_id, keys=tuple(keys)))
