"""Decide which experiments a grid needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell import artifacts
from bloodcell.artifacts import Begun, ExperimentSpec, LeakageAudit
from bloodcell.config import GridConfig, GridRow
from bloodcell.data.dataset import DatasetInfo, read_info, read_manifest
from bloodcell.data.leakage import audit_splits, objection
from bloodcell.errors import ConfigError, GridError
from bloodcell.provenance import code_version
from bloodcell.store import Store
from bloodcell.weights import stage_weights
from tasks.interrupted import begin, trained_by_interrupted
from tasks.trainings import Lookup, of_night, of_run


@dataclass(frozen=True)
class PlannedRun:
    """One training of a row, the experiment it stands for, and whether that has a result.

    Attributes:
        name: The row's, with the seed where the grid has several.
        resumed: Whether that result is of the interrupted run that this one goes on with, and so its own.
    """

    name: str
    row: GridRow
    spec: ExperimentSpec
    done: bool
    resumed: bool = False


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
        another_seed: Plan a night: go on to the first seed of which no row has a result, and to what
            `tasks.trainings.of_night` says beside it.

    Raises:
        ObjectNotFoundError: The dataset, or weights named as an object, are not in the store.
        CorruptObjectError: The dataset's manifest is not the one recorded.
        DatasetError: A strict plan has leakage, or source cells are unknown.
        WeightsError: A weights file is missing or not the one named.
        ConfigError: Both `force` and `another_seed` are asked for.
        GridError: Two rows turn out to be one experiment, or no seed is left.
    """
    if force and another_seed:
        raise ConfigError(
            "force and nightly are both set; accepted is one of them, as a night trains another seed of each row",
            remedy="leave one out",
        )
    info = read_info(store, grid.dataset)
    manifest = read_manifest(store, info)

    def audited(rows: Sequence[GridRow]) -> tuple[LeakageAudit, ...]:
        found = audit_splits(manifest, [row.config for row in rows], sources_known=info.sources_known)
        if strict and (refused := objection(found, info.name)):
            raise refused
        return found

    leakage = audited(grid.runs)
    rows = grid.rows
    specs = _specs(store, rows, info)
    _refuse_twins(rows, specs)
    kind = _kind(force=force, another_seed=another_seed)
    interrupted = trained_by_interrupted(store, grid.name, kind) if kind else frozenset()
    lookup = Lookup(store, list(zip(rows, specs, strict=True)), interrupted)
    trainings = of_night(lookup, grid.name, grid.seeds) if another_seed else of_run(lookup, grid.seeds, force=force)
    if another_seed:
        leakage = audited([training.row for training in trainings])
        last = max(training.row.config.seed for training in trainings)
        grid = grid.model_copy(update={"seeds": last - rows[0].config.seed + 1})
    runs = tuple(
        PlannedRun(
            name=grid.run_name(training.row.name, training.row.config.seed),
            row=training.row,
            spec=training.spec,
            done=training.reused or training.resumed,
            resumed=training.resumed,
        )
        for training in trainings
    )
    return Plan(grid, info, runs, leakage)


def _specs(store: Store, rows: Sequence[GridRow], info: DatasetInfo) -> list[ExperimentSpec]:
    """The experiments that the rows stand for, their weights in the store."""
    stage = cache(lambda weights, digest: stage_weights(store, weights, digest))  # rows mostly share one file

    def specify(row: GridRow) -> ExperimentSpec:
        weights, digest = stage(row.config.weights, row.config.weights_sha256)
        return ExperimentSpec(
            config=row.config.model_copy(update={"weights": weights, "weights_sha256": digest}),
            dataset=info.name,
            dataset_version=info.version,
            code_version=code_version(),
        )

    return list(map(specify, rows))


def _kind(*, force: bool, another_seed: bool) -> Begun | None:
    return "night" if another_seed else "forced" if force else None


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
    store: Store,
    grid: GridConfig,
    run_id: str,
    *,
    strict: bool = False,
    force: bool = False,
    another_seed: bool = False,
) -> Plan:
    """Plan, leave the config.json of each experiment without a result, and log what will run and what is reused.

    A night and a forced run also leave what they set out to train, by which the same command goes on with it.
    """
    planned = plan(store, grid, strict=strict, force=force, another_seed=another_seed)
    for run in planned.runs:
        if not run.done:
            artifacts.write_model(store, artifacts.experiment(run.spec.key, "config.json"), run.spec)
    if kind := _kind(force=force, another_seed=another_seed):
        own = (run.spec.key for run in planned.runs if run.resumed or not run.done)
        begin(store, planned.grid.name, kind, run_id, own)
    logger = get_run_logger()
    logger.info("%s on %s@%s", grid.name, planned.dataset.name, planned.dataset.version)
    if leakage := objection(planned.leakage, planned.dataset.name):
        logger.warning("%s", leakage)
    if any(run.resumed for run in planned.runs):
        logger.info("going on with the run of this kind that was interrupted, or published no report")
    for run in planned.runs:
        what = "resume" if run.resumed else "reuse" if run.done else "train"
        logger.info("%-10s %s  %s", what, run.spec.key, run.name)
    return planned
