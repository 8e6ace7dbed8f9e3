"""Decide which experiments a grid needs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import count

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec, LeakageAudit
from bloodcell.config import GridConfig, GridRow
from bloodcell.data.dataset import DatasetInfo, read_info, read_manifest
from bloodcell.data.leakage import audit_splits, objection
from bloodcell.errors import GridError
from bloodcell.provenance import code_version
from bloodcell.store import Store
from bloodcell.weights import stage_weights

_AT_ONCE = 16
"""Results looked for at once: most of the time of each is the way there and back."""


@dataclass(frozen=True)
class PlannedRun:
    """One training of a row, the experiment it stands for, and whether that has a result.

    Attributes:
        name: The row's, with the seed where the grid has several.
    """

    name: str
    row: GridRow
    spec: ExperimentSpec
    done: bool


@dataclass(frozen=True)
class Plan:
    """What a grid run is to do, on one dataset version."""

    grid: GridConfig
    dataset: DatasetInfo
    runs: tuple[PlannedRun, ...]
    leakage: tuple[LeakageAudit, ...]


def plan(
    store: Store, grid: GridConfig, *, strict: bool = False, force: bool = False, another_seed: bool = False
) -> Plan:
    """Resolve a grid against the store. Weights files are put into the store; nothing else is written.

    Args:
        store: Where dataset, weights and results are.
        grid: What is to be run.
        strict: Refuse a split that evaluates on siblings of training images, or may.
        force: Train anew what has a result.
        another_seed: Go on to the first seed of which no row has a result, beyond the grid's own number where need be.

    Raises:
        ObjectNotFoundError: The dataset, or weights named as an object, are not in the store.
        CorruptObjectError: The dataset's manifest is not the one recorded.
        DatasetError: A strict plan has leakage, or source cells are unknown; nothing was written.
        WeightsError: A weights file is missing or not the one named.
        GridError: Two rows turn out to be one experiment.
    """
    info = read_info(store, grid.dataset)
    stage = cache(lambda weights, digest: stage_weights(store, weights, digest))  # rows mostly share one file

    def specify(row: GridRow) -> ExperimentSpec:
        weights, digest = stage(row.config.weights, row.config.weights_sha256)
        return ExperimentSpec(
            config=row.config.model_copy(update={"weights": weights, "weights_sha256": digest}),
            dataset=info.name,
            dataset_version=info.version,
            code_version=code_version(),
        )

    if another_seed:
        grid = with_another_seed(store, grid, specify)
    rows = grid.runs
    leakage = audit_splits(read_manifest(store, info), [row.config for row in rows], sources_known=info.sources_known)
    if strict and (refused := objection(leakage, info.name)):
        raise refused
    specs = list(map(specify, rows))
    _refuse_twins(rows, specs)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        newest = list(pool.map(partial(_newest, store), specs))
    runs = tuple(
        PlannedRun(
            name=grid.run_name(row.name, row.config.seed),
            row=row,
            spec=spec.model_copy(update={"repeat": spec.repeat + 1}) if done and force else spec,
            done=done and not force,
        )
        for row, (spec, done) in zip(rows, newest, strict=True)
    )
    return Plan(grid, info, runs, leakage)


def with_another_seed(store: Store, grid: GridConfig, specify: Callable[[GridRow], ExperimentSpec]) -> GridConfig:
    """The grid with seeds up to the first of which no row has a result, or with its own number where that is more.

    A row that fails every night keeps no other from its next seed.
    """

    def is_used(seeds: int) -> bool:
        last = grid.model_copy(update={"seeds": seeds}).runs[-len(grid.rows) :]
        return any(artifacts.is_done(store, specify(row).key) for row in last)

    unused = next(seeds for seeds in count(1) if not is_used(seeds))
    return grid.model_copy(update={"seeds": max(unused, grid.seeds)})


def _newest(store: Store, spec: ExperimentSpec) -> tuple[ExperimentSpec, bool]:
    """An experiment's newest repeat that has a result, and whether there is one."""
    if not artifacts.is_done(store, spec.key):
        return spec, False
    while artifacts.is_done(store, (after := spec.model_copy(update={"repeat": spec.repeat + 1})).key):
        spec = after
    return spec, True


def _refuse_twins(rows: Sequence[GridRow], specs: Sequence[ExperimentSpec]) -> None:
    names: dict[str, str] = {}
    for row, spec in zip(rows, specs, strict=True):
        if (first := names.setdefault(spec.key, row.name)) != row.name:
            raise GridError(
                f"rows {first!r} and {row.name!r} are one experiment: their weights files hold the same bytes",
                remedy="remove one of the two rows",
            )


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
def plan_grid(
    store: Store, grid: GridConfig, *, strict: bool = False, force: bool = False, another_seed: bool = False
) -> Plan:
    """Plan, leave the config.json of each experiment without a result, and log what will run and what is reused."""
    planned = plan(store, grid, strict=strict, force=force, another_seed=another_seed)
    for run in planned.runs:
        if not run.done:
            artifacts.write_model(store, artifacts.experiment(run.spec.key, "config.json"), run.spec)
    logger = get_run_logger()
    logger.info("%s on %s@%s", grid.name, planned.dataset.name, planned.dataset.version)
    if leakage := objection(planned.leakage, planned.dataset.name):
        logger.warning("%s", leakage)
    for run in planned.runs:
        logger.info("%-10s %s  %s", "reuse" if run.done else "train", run.spec.key, run.name)
    return planned
