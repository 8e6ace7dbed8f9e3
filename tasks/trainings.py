"""Which trainings a grid run has, and which of them have a result.

Results of an interrupted run that is gone on with are looked at as if they were not there, so that the plan is the one
which that run had; then they need not be made again.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, takewhile

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import LAST_SEED, MOST_SEEDS, GridRow
from bloodcell.errors import GridError
from bloodcell.store import AT_ONCE, Store


@dataclass(frozen=True)
class Training:
    """A row with one of its seeds.

    Attributes:
        row: The row, with that seed.
        spec: The experiment it stands for: the repeat that counts, or the one that is to be trained.
        reused: Whether it has a result of an earlier run.
        resumed: Whether it has one of the interrupted run that this one goes on with.
    """

    row: GridRow
    spec: ExperimentSpec
    reused: bool
    resumed: bool


@dataclass(frozen=True)
class Lookup:
    """What the store has of a grid's rows.

    Attributes:
        store: The store.
        rows: The rows with their first seed, and the experiments that these stand for.
        interrupted: Keys that the interrupted run trained; empty where there is none.
    """

    store: Store
    rows: Sequence[tuple[GridRow, ExperimentSpec]]
    interrupted: frozenset[str]

    def seeds(self, numbers: Sequence[int], *, force: bool = False) -> list[list[Training]]:
        """Of each number, every row with the seed that is so many after its first.

        Args:
            numbers: Of seeds, from 0.
            force: Under a repeat without a result.
        """
        asked = [(more, *planned) for more in numbers for planned in self.rows]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda each: self._training(*each, force=force), asked)
            return [list(islice(found, len(self.rows))) for _ in numbers]

    def _training(self, more: int, row: GridRow, spec: ExperimentSpec, *, force: bool) -> Training:
        row = row.model_copy(update={"config": row.config.model_copy(update={"seed": row.config.seed + more})})
        spec = _seeded(spec, more)
        repeats = list(takewhile(self._counts, _repeats(spec)))
        if repeats and not force:
            return Training(row, repeats[-1], reused=True, resumed=False)
        anew = spec.model_copy(update={"repeat": len(repeats)})
        return Training(row, anew, reused=False, resumed=anew.key in self.interrupted)

    def _counts(self, spec: ExperimentSpec) -> bool:
        if spec.key in self.interrupted:  # a repeat after it, and it is no more the newest
            return artifacts.is_done(self.store, spec.model_copy(update={"repeat": spec.repeat + 1}).key)
        return artifacts.is_done(self.store, spec.key)


def _repeats(spec: ExperimentSpec) -> Iterator[ExperimentSpec]:
    while True:
        yield spec
        spec = spec.model_copy(update={"repeat": spec.repeat + 1})


def lacks_a_result(store: Store, specs: Sequence[ExperimentSpec], seeds: int) -> bool:
    """Whether a training of a plain run has no result; the first in order that has none is the answer at once.

    Args:
        store: Where results are.
        specs: The rows' experiments with their first seed.
        seeds: Trainings of each row.
    """
    keys = [_seeded(spec, more).key for more in range(seeds) for spec in specs]
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        return not all(pool.map(partial(artifacts.is_done, store), keys))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _seeded(spec: ExperimentSpec, more: int) -> ExperimentSpec:
    config = spec.config.model_copy(update={"seed": spec.config.seed + more})
    return spec.model_copy(update={"config": config})


def of_run(lookup: Lookup, seeds: int, *, force: bool) -> list[Training]:
    """Every row with every seed: the rows with the first, then the rows with the next."""
    return list(chain(*lookup.seeds(range(seeds), force=force)))


def of_night(lookup: Lookup, grid: str, seeds: int) -> list[Training]:
    """What has a result, every row with tonight's seed, and of the earlier seeds that a row lacks the newest.

    Tonight's seed is the first of which no row has a result: a row that fails every night keeps no other from it. It
    is several where the grid asks for more than there are yet. So a crash of the last night is made good, and a new
    row closes the gap by one seed a night rather than train a hundred times in one.

    Args:
        lookup: The rows.
        grid: The grid's name.
        seeds: Trainings that the grid itself asks for.

    Raises:
        GridError: Each seed that a row may have has a result.
    """
    first = lookup.rows[0][0].config.seed
    most = min(MOST_SEEDS, LAST_SEED - first + 1)
    earlier: list[list[Training]] = []
    for tonight in _from_the_first(lookup, most):
        if not any(training.reused for training in tonight):
            break
        earlier.append(tonight)
    else:
        raise GridError(
            f"grid {grid!r} has results of {most:,} seeds from {first} on; a row accepts no more",
            remedy="set another first seed in the grid's base; the nights before still count",
        )
    more = chain(*lookup.seeds(range(len(earlier) + 1, seeds)))
    lacking = {training.row.name: training.spec.key for rows in earlier for training in rows if not training.reused}
    kept = [
        training
        for rows in earlier
        for training in rows
        if training.reused or training.resumed or training.spec.key == lacking[training.row.name]
    ]
    return [*kept, *tonight, *more]


def _from_the_first(lookup: Lookup, most: int) -> Iterator[list[Training]]:
    """Every row with one seed after the other, looked up in blocks of twice as many: a year of nights takes nine."""
    start, block = 0, 1
    while start < most:
        yield from lookup.seeds(range(start, min(start + block, most)))
        start, block = start + block, 2 * block
