"""Decide which experiments a grid needs."""

from dataclasses import dataclass
from functools import cache

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


@dataclass(frozen=True)
class PlannedRow:
    """A row of the grid, the experiment it stands for, and whether that has a result."""

    row: GridRow
    spec: ExperimentSpec
    done: bool


@dataclass(frozen=True)
class Plan:
    """What a grid run is to do, on one dataset version."""

    grid: GridConfig
    dataset: DatasetInfo
    rows: tuple[PlannedRow, ...]
    leakage: tuple[LeakageAudit, ...]


def plan(store: Store, grid: GridConfig, *, strict: bool = False) -> Plan:
    """Resolve a grid against the store. Weights files are put into the store; nothing else is written.

    Args:
        store: Where dataset, weights and results are.
        grid: What is to be run.
        strict: Whether to refuse a split that evaluates on siblings of training images, or may.

    Raises:
        ObjectNotFoundError: The dataset, or weights named as an object, are not in the store.
        CorruptObjectError: The dataset's manifest is not the one recorded.
        DatasetError: A strict plan has leakage, or source cells are unknown; nothing was written.
        WeightsError: A weights file is missing or not the one named.
        GridError: Two rows turn out to be one experiment.
    """
    info = read_info(store, grid.dataset)
    configs = [row.config for row in grid.rows]
    leakage = audit_splits(read_manifest(store, info), configs, sources_known=info.sources_known)
    if strict and (refused := objection(leakage, info.name)):
        raise refused
    stage = cache(lambda weights, digest: stage_weights(store, weights, digest))  # rows mostly share one file
    rows = []
    for row in grid.rows:
        weights, digest = stage(row.config.weights, row.config.weights_sha256)
        spec = ExperimentSpec(
            config=row.config.model_copy(update={"weights": weights, "weights_sha256": digest}),
            dataset=info.name,
            dataset_version=info.version,
            code_version=code_version(),
        )
        rows.append(PlannedRow(row, spec, artifacts.is_done(store, spec.key)))
    _refuse_twins(rows)
    return Plan(grid, info, tuple(rows), leakage)


def _refuse_twins(rows: list[PlannedRow]) -> None:
    names: dict[str, str] = {}
    for item in rows:
        if (first := names.setdefault(item.spec.key, item.row.name)) != item.row.name:
            raise GridError(
                f"rows {first!r} and {item.row.name!r} are one experiment: their weights files hold the same bytes",
                remedy="remove one of the two rows",
            )


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE)
def plan_grid(store: Store, grid: GridConfig, *, strict: bool = False) -> Plan:
    """Plan, leave the config.json of each experiment without a result, and log what will run and what is reused."""
    planned = plan(store, grid, strict=strict)
    for item in planned.rows:
        if not item.done:
            artifacts.write_model(store, artifacts.experiment(item.spec.key, "config.json"), item.spec)
    logger = get_run_logger()
    logger.info("%s on %s@%s", grid.name, planned.dataset.name, planned.dataset.version)
    if leakage := objection(planned.leakage, planned.dataset.name):
        logger.warning("%s", leakage)
    for item in planned.rows:
        logger.info("%-10s %s  %s", "reuse" if item.done else "train", item.spec.key, item.row.name)
    return planned
