"""What the store has that explains a plan: the newest reports of the grid, and what was begun."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec, GridRun
from bloodcell.errors import BloodcellError
from bloodcell.lease import held_by
from bloodcell.published import PublishedRun, published_runs
from bloodcell.store import AT_ONCE, Store
from tasks.learning_time import Learned
from tasks.plan import PlannedRun
from tasks.precedents import Precedent, Precedents
from tasks.reasons import Unfinished, reasons

REPORTS = 4
"""Reports that are read, the newest: the last names every seed of every row, the others what the last did not have."""


def unfinished(store: Store, to_train: Sequence[PlannedRun]) -> dict[str, Unfinished]:
    """What experiments without a result left in the store, by key; those that left nothing are not in it."""
    keys = [run.spec.key for run in to_train]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = zip(keys, pool.map(partial(_left, store), keys), strict=True)
        return {key: left for key, left in found if left}


def epochs_over(begun: Mapping[str, Unfinished]) -> dict[str, int]:
    """Of what goes on from a checkpoint, the epochs that have ended, by key.

    Args:
        begun: As from `unfinished`.
    """
    return {key: left.checkpoint[0] for key, left in begun.items() if left.checkpoint}


def reasons_to_train(
    to_train: Sequence[PlannedRun], precedents: Precedents, begun: Mapping[str, Unfinished]
) -> dict[str, tuple[str, ...]]:
    """Why each experiment is to be trained, by key.

    Args:
        to_train: The experiments.
        precedents: Earlier trainings of their grid.
        begun: As from `unfinished`.
    """
    return {run.spec.key: reasons(run.row.name, run.spec, precedents, left=begun.get(run.spec.key)) for run in to_train}


def _left(store: Store, key: str) -> Unfinished | None:
    try:
        if not store.exists(artifacts.experiment(key, "config.json")):  # one look, where most are new
            return None
        from bloodcell.checkpoints import Checkpoints  # and numpy, which a run with nothing to train does without

        holder, checkpoint = held_by(store, key), Checkpoints(store, key).furthest()
    except BloodcellError:  # an explanation is not worth a run
        return None
    return Unfinished(holder, checkpoint) if holder or checkpoint else None


def newest_reports(store: Store, grid: str) -> list[PublishedRun]:
    """The reports that explain a plan; none of a grid that has none, or whose reports cannot be listed."""
    try:
        if store.exists(artifacts.latest_grid_run(grid)):  # a look at one object rather than at all grids
            return published_runs(store, grid)[:REPORTS]
    except BloodcellError:  # an explanation is not worth a run
        pass
    return []


def read_precedents(store: Store, reports: Sequence[PublishedRun]) -> Precedents:
    """The trainings that the reports name. One that cannot be read is another run's to mend."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Precedents(chain.from_iterable(pool.map(partial(_named_in, store), reports)))


def _named_in(store: Store, report: PublishedRun) -> list[Precedent]:
    try:
        run = artifacts.read_model(store, artifacts.grid_run(report.grid, report.run_id, "grid.json"), GridRun)
    except BloodcellError:
        return []
    return list(_precedents(run))


def _precedents(run: GridRun) -> Iterator[Precedent]:
    for row in run.rows:
        spec = ExperimentSpec(
            config=row.config, dataset=run.dataset, dataset_version=run.dataset_version, code_version=run.code_version
        )
        yield Precedent(run.run_id, row.name, spec, row.key, row.status, row.reason)


def learned(store: Store, reports: Sequence[PublishedRun]) -> dict[str, Learned]:
    """What the trainings that the reports name took, by key; where several name one, the first counts, the newest."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(chain.from_iterable(pool.map(partial(_learned_in, store), reports[::-1])))


def _learned_in(store: Store, report: PublishedRun) -> list[tuple[str, Learned]]:
    try:
        table = store.read(artifacts.grid_run(report.grid, report.run_id, "runs.csv")).decode()
        lines = csv.DictReader(table.splitlines())
        return [(line["key"], _learned(line)) for line in lines if line.get("learning_seconds")]
    except (BloodcellError, ValueError, KeyError):  # of another release: an estimate does without
        return []


def _learned(line: Mapping[str, str]) -> Learned:
    epochs, images = (int(line.get(column) or 0) or None for column in ("epochs_run", "train_images"))
    return Learned(float(line["learning_seconds"]), epochs, images)
