"""Decide which experiments a grid needs. Nothing is written here, and no Prefect is loaded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from bloodcell.artifacts import Begun, ExperimentSpec, LeakageAudit, RowOutcome, Status
from bloodcell.config import ExperimentConfig, GridConfig, GridRow
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.data.leakage import objection
from bloodcell.errors import ConfigError, GridError
from bloodcell.provenance import code_version
from bloodcell.store import Store
from bloodcell.weights import identify_weights
from tasks.interrupted import trained_by_interrupted
from tasks.reporting import audit_dataset
from tasks.trainings import Lookup, of_night, of_run

Action = Literal["train", "resume", "reuse"]

Audit = Callable[[Store, DatasetInfo, Sequence[ExperimentConfig]], tuple[LeakageAudit, ...]]
"""Says what the splits of configurations leak."""


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

    @property
    def action(self) -> Action:
        """What happens to it."""
        return "resume" if self.resumed else "reuse" if self.done else "train"

    def outcome(self, status: Status, reason: str = "", exit_code: int = 0) -> RowOutcome:
        """What became of it, as `RowOutcome` has it."""
        return RowOutcome(
            name=self.row.name,
            key=self.spec.key,
            config=self.spec.config,
            changed=self.row.changed,
            status=status,
            reason=reason,
            exit_code=exit_code,
        )


@dataclass(frozen=True)
class Plan:
    """What a grid run is to do, on one dataset version.

    Attributes:
        restart: Whether it forgets the nights before it: it was told to, or goes on with a night that was.
        over: Of experiments that were begun and go on, the epochs that have ended, by key; empty until looked for.
    """

    grid: GridConfig
    dataset: DatasetInfo
    runs: tuple[PlannedRun, ...]
    leakage: tuple[LeakageAudit, ...]
    restart: bool = False
    over: Mapping[str, int] = field(default_factory=dict)

    def in_order(self, outcomes: Iterable[RowOutcome]) -> tuple[RowOutcome, ...]:
        """Row after row, as the grid has them and a report shows them, each with its seeds in order."""
        places = {row.name: place for place, row in enumerate(self.grid.rows)}
        return tuple(sorted(outcomes, key=lambda outcome: (places[outcome.name], outcome.config.seed)))


def plan(
    store: Store,
    grid: GridConfig,
    *,
    strict: bool = False,
    force: bool = False,
    another_seed: bool = False,
    audit: Audit = audit_dataset,
) -> Plan:
    """Resolve a grid against the store.

    Args:
        store: Where dataset, weights and results are.
        grid: What is to be run.
        strict: Refuse a split that evaluates on siblings of training images, or may.
        force: Train anew what has a result.
        another_seed: Plan a night: go on to the first seed of which no row has a result, and to what
            `tasks.trainings.of_night` says beside it.
        audit: As `tasks.reporting.audit_dataset` does.

    Raises:
        ObjectNotFoundError: The dataset, or weights named as an object, are not in the store.
        CorruptObjectError: The dataset's manifest is not the one recorded.
        DatasetError: A strict plan has leakage, or source cells are unknown.
        WeightsError: A weights file is missing or not the one named.
        ConfigError: Both `force` and `another_seed` are asked for.
        GridError: Two rows turn out to be one experiment, or no seed is left.
    """
    kind = kind_of(force=force, another_seed=another_seed)
    info = read_info(store, grid.dataset)
    rows = grid.rows
    specs = _specs(store, rows, info)
    interrupted = trained_by_interrupted(store, grid.name, kind) if kind else frozenset()
    lookup = Lookup(store, list(zip(rows, specs, strict=True)), interrupted)
    trainings = of_night(lookup, grid.name, grid.seeds) if another_seed else of_run(lookup, grid.seeds, force=force)
    if another_seed:
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
    leakage = audit(store, info, [run.row.config for run in runs])
    if strict:
        _refuse_leakage(leakage, info)
    return Plan(grid, info, runs, leakage)


def specify(
    store: Store,
    grid: GridConfig,
    *,
    strict: bool = False,
    force: bool = False,
    another_seed: bool = False,
    audit: Audit = audit_dataset,
) -> list[ExperimentSpec]:
    """The experiments that a grid's rows stand for with their first seed, or what `plan` would raise.

    That is all that takes neither a look for every result nor, unless strict, the manifest: seconds, where a grid has
    a thousand rows, a dataset 200,000 images, or the store is far.
    """
    kind_of(force=force, another_seed=another_seed)
    info = read_info(store, grid.dataset)
    specs = _specs(store, grid.rows, info)
    if strict:
        _refuse_leakage(audit(store, info, [run.config for run in grid.runs]), info)
    return specs


def kind_of(*, force: bool, another_seed: bool) -> Begun | None:
    """The kind of a run that is gone on with where it was interrupted.

    Raises:
        ConfigError: Both are asked for.
    """
    if force and another_seed:
        raise ConfigError(
            "force and nightly are both set; accepted is one of them, as a night trains another seed of each row",
            remedy="leave one out",
        )
    return "night" if another_seed else "forced" if force else None


def _specs(store: Store, rows: Sequence[GridRow], info: DatasetInfo) -> list[ExperimentSpec]:
    """The experiments that the rows stand for."""
    identify = cache(lambda weights, digest: identify_weights(store, weights, digest))  # rows mostly share one file

    def specify(row: GridRow) -> ExperimentSpec:
        weights, digest = identify(row.config.weights, row.config.weights_sha256)
        return ExperimentSpec(
            config=row.config.model_copy(update={"weights": weights, "weights_sha256": digest}),
            dataset=info.name,
            dataset_version=info.version,
            code_version=code_version(),
        )

    specs = list(map(specify, rows))
    _refuse_twins(rows, specs)
    return specs


def _refuse_leakage(leakage: Sequence[LeakageAudit], info: DatasetInfo) -> None:
    if refused := objection(leakage, info.name):
        raise refused


def _refuse_twins(rows: Sequence[GridRow], specs: Sequence[ExperimentSpec]) -> None:
    names: dict[str, str] = {}
    for row, spec in zip(rows, specs, strict=True):
        if (first := names.setdefault(spec.key, row.name)) != row.name:
            raise GridError(
                f"rows {first!r} and {row.name!r} are one experiment: their weights files hold the same bytes",
                remedy="remove one of the two rows",
            )
