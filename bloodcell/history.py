"""What the nights before a grid run measured."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult, GridRun, RowOutcome, repeat_of
from bloodcell.errors import DataError
from bloodcell.published import PublishedRun, published_runs
from bloodcell.store import AT_ONCE, Store


def earlier_trainings(store: Store, run: GridRun) -> dict[str, tuple[ExperimentResult, ...]]:
    """The trainings that a night is compared with, by row, the oldest first.

    These are what the nights before trained of a row of that name, on the same images, back to the last one that was
    told to restart, or to where the row got better: two nights in succession, as one may be luck, and a measure that is
    luck makes every later night look worse. Where there is none such, they are also what these nights and this one
    reuse, with settings that the row had before. A training that was found worse is no measure for the next, nor are
    its repeats; one that was found better is
    none until the next night has borne it out or not. Of the repeats of one training the newest counts: on a CPU they
    are equal numbers, and twice the same says nothing of how trainings differ. An object that cannot be read is another
    run's to mend.

    Args:
        store: Where the runs are.
        run: The night, not yet published.
    """
    if run.nightly == "restart":
        return {row.name: () for row in run.rows}
    nights = list(_nights_before(store, run))
    keys = {row.name: reference(row, run, nights) for row in run.rows}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        read = {name: pool.map(partial(_result, store), sorted(found)) for name, found in keys.items()}
        return {
            name: tuple(sorted(filter(None, results), key=lambda result: result.finished))
            for name, results in read.items()
        }


def reference(row: RowOutcome, run: GridRun, nights: Sequence[GridRun]) -> set[str]:
    """Keys of the trainings that a row of a night is compared with; `earlier_trainings` says which these are.

    Args:
        row: One of its trainings in that night.
        run: The night.
        nights: Those before it, the newest first.
    """

    def same(night: GridRun, status: str) -> set[str]:
        return {other.key for other in _alike(row, night) if other.status == status}

    counted = _reused(row, [*reversed(nights), run])
    doubtful: set[str] = set()
    worse = same(run, "trained")
    for night in reversed(nights):
        trained = same(night, "trained")
        verdicts = {verdict.verdict for verdict in night.verdicts if verdict.row == row.name}
        if night.nightly == "restart":
            counted, doubtful = trained, set()
        elif "better" in verdicts:
            counted, doubtful = (doubtful | trained, set()) if doubtful else (counted, trained)
        elif trained:
            counted, doubtful = counted | doubtful | trained, set()
        if "worse" in verdicts:
            worse |= trained
    return _newest_repeats(counted - doubtful, worse)


def _alike(row: RowOutcome, night: GridRun) -> list[RowOutcome]:
    """The trainings of the row of that name in a night, where it is tested on the same images."""
    alike = (other for other in night.rows if other.name == row.name)
    return [other for other in alike if other.config.choice_of_test == row.config.choice_of_test]


def _reused(row: RowOutcome, nights: Sequence[GridRun]) -> set[str]:
    """What nights reused of a row under settings that its nights before had, or that its first night has.

    Where settings changed, what somebody trained with the new ones before, in another run, is of what is to be judged.

    Args:
        row: One of the row's trainings.
        nights: The oldest first.
    """
    known: set[str] = set()
    found: set[str] = set()
    for night in nights:
        alike = _alike(row, night)
        settings = {other.config.model_dump_json(exclude={"seed"}) for other in alike}
        if known and not settings <= known:
            if not any(verdict.row == row.name and verdict.verdict == "worse" for verdict in night.verdicts):
                known |= settings
            continue
        known |= settings
        found |= {other.key for other in alike if other.status == "reused"}
    return found


def _newest_repeats(keys: set[str], without: set[str]) -> set[str]:
    left_out = {repeat_of(key)[0] for key in without}
    newest = {repeat_of(key)[0]: key for key in sorted(keys, key=repeat_of)}
    return {key for first, key in newest.items() if first not in left_out}


def _nights_before(store: Store, run: GridRun) -> Iterator[GridRun]:
    """The nights of this grid on this dataset version, the newest first."""
    try:
        published = published_runs(store, run.grid.name)
    except DataError:  # it is the first
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for night in pool.map(partial(_grid_run, store), published):
            if night and night.nightly and night.dataset_version == run.dataset_version:
                yield night


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
