"""The rows of a grid run, each with its result where it has one."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, stdev
from typing import NamedTuple

from bloodcell.artifacts import SPLITS, ExperimentResult, RowOutcome, SplitMetrics
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.formatting import counted, listed, noun, percent, setting, setting_text
from bloodcell.report.averages import mean_metrics
from bloodcell.report.cells import CellCounts
from bloodcell.report.diagnostics import Diagnostics, of_several
from bloodcell.report.intervals import RowCells

STUDY_FIELDS = ("hidden_layers", "dense_units", "learning_rate")
"""The settings that the original study varies: every results table has their columns."""


class TrainingFailure(NamedTuple):
    """A training that has no result: its seed, and why, in at least one line."""

    seed: int
    reason: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A row of the grid; without a result unless it is a FinishedRow.

    Attributes:
        outcomes: What became of its trainings, by ascending seed.
        first: Configuration of the grid's first row, against which changes count.
        test_images: What decides which images test it: equal where two rows are tested on the same images.
    """

    outcomes: tuple[RowOutcome, ...]
    first: ExperimentConfig
    test_images: tuple[object, ...]

    @property
    def name(self) -> str:
        """The row's name."""
        return self.outcomes[0].name

    @property
    def config(self) -> ExperimentConfig:
        """The row's configuration, with its first seed: the only source of what the report says of its settings."""
        return self.outcomes[0].config

    @property
    def differing(self) -> tuple[str, ...]:
        """The settings in which the row differs from the first, an image size that follows the backbone included."""
        changed = self.outcomes[0].changed
        candidates = (field for field in ExperimentConfig.model_fields if field in {*changed, "image_size"})
        fields = [field for field in candidates if setting(self.config, field) != setting(self.first, field)]
        # The hash follows the weights, and says nothing beside them.
        return tuple(field for field in fields if field != "weights_sha256" or len(fields) == 1)

    @property
    def changed(self) -> tuple[str, ...]:
        """Those settings that the grid itself changes."""
        return tuple(field for field in self.differing if field in self.outcomes[0].changed)

    @property
    def changes(self) -> str:
        """The differing settings with the row's values: `hidden layers 2`."""
        return listed([f"{noun(field)} {setting_text(self.config, field)}" for field in self.differing])

    @property
    def status(self) -> str:
        """What became of its trainings: `trained`, `reused`, or `trained 1, reused 2`."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{what} {n}" for what, n in counts.items())

    @property
    def failures(self) -> tuple[TrainingFailure, ...]:
        """Its trainings without a result."""
        return tuple(
            TrainingFailure(outcome.config.seed, _reason(outcome))
            for outcome in self.outcomes
            if outcome.key not in self._with_result
        )

    @property
    def _with_result(self) -> Set[str]:
        return frozenset()


@dataclass(frozen=True)
class FinishedRow(Row):
    """A row of which at least one training has a result; its figures are the means over those that have.

    Attributes:
        results: Their results, by ascending seed.
        cells: What became of the source cells of the test and of the split seen; empty where they are not known.
        diagnostics: Its calibration, and the pictures that the first of its experiments drew.
    """

    results: tuple[ExperimentResult, ...]
    cells: Mapping[str, RowCells]
    diagnostics: Diagnostics

    @property
    def _with_result(self) -> Set[str]:
        return {result.key for result in self.results}

    @property
    def result(self) -> ExperimentResult:
        """The first result, for what all have in common."""
        return self.results[0]

    @cached_property
    def metrics(self) -> dict[str, SplitMetrics]:
        """By split, the means of the figures, and the sums of the confusion matrices."""
        splits = [split for split in SPLITS if all(split in result.metrics for result in self.results)]
        return {split: mean_metrics([result.metrics[split] for result in self.results]) for split in splits}

    @property
    def test(self) -> SplitMetrics:
        """Its figures on the test images."""
        return self.metrics["test"]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have a result, ascending."""
        return tuple(result.spec.config.seed for result in self.results)

    @property
    def spread(self) -> str:
        """Lowest and highest test accuracy of its trainings, and their standard deviation."""
        accuracies = [result.metrics["test"].accuracy for result in self.results]
        extremes = f"lowest {percent(min(accuracies))}, highest {percent(max(accuracies))}"
        return f"{extremes}, standard deviation {100 * stdev(accuracies):.2f} points"

    @property
    def seconds(self) -> float:
        """Its learning time in seconds, the mean over its trainings."""
        return sum(result.learning_seconds for result in self.results) / len(self.results)

    @property
    def waiting(self) -> float | None:
        """The fraction of its learning time in which it waited for data; None where a training did not measure it."""
        fractions = [found for result in self.results if (found := result.waiting_fraction) is not None]
        return mean(fractions) if len(fractions) == len(self.results) else None

    @property
    def epochs(self) -> str:
        """How many epochs it ran, and which is kept where early stopping may choose or that is not the last."""
        return _epochs(self.result) if len(self.results) == 1 else self.epochs_run

    @property
    def epochs_run(self) -> str:
        """How many epochs it ran: `10 epochs`, `7 to 10 epochs`."""
        numbers = sorted({len(result.history) for result in self.results})
        return f"{numbers[0]:,} to {numbers[-1]:,} epochs" if len(numbers) > 1 else counted(numbers[0], "epoch")


def rows_of(
    outcomes: Sequence[RowOutcome],
    info: DatasetInfo,
    results: Mapping[str, ExperimentResult],
    cells: Mapping[str, Mapping[str, CellCounts]],
    diagnostics: Mapping[str, Diagnostics] | None = None,
) -> tuple[Row, ...]:
    """A run's rows in order. A failed training has no result, whatever `results` holds.

    Args:
        outcomes: What became of its trainings.
        info: The dataset it ran on.
        results: By key.
        cells: By key and split, of those results whose source cells are known.
        diagnostics: By key, of those results that have any.
    """
    by_row: dict[str, list[RowOutcome]] = {}
    for outcome in outcomes:
        by_row.setdefault(outcome.name, []).append(outcome)
    first = outcomes[0].config

    def row_of(trained: list[RowOutcome]) -> Row:
        trained = sorted(trained, key=lambda outcome: outcome.config.seed)
        images = _test_images(trained[0].config, info)
        keys = [outcome.key for outcome in trained if outcome.status != "failed" and outcome.key in results]
        if not keys:
            return Row(tuple(trained), first, images)
        having = tuple(results[key] for key in keys)
        shown = of_several([diagnostics[key] for key in keys if key in diagnostics] if diagnostics else [])
        return FinishedRow(tuple(trained), first, images, having, _cells(having, cells), shown)

    return tuple(map(row_of, by_row.values()))


def compute_intervals(rows: Sequence[FinishedRow]) -> None:
    """Have rows know the intervals of their figures, which are of thousands of samples, before they are asked."""
    for row in rows:
        for cells in row.cells.values():
            _ = cells.accuracy


def _cells(results: Sequence[ExperimentResult], cells: Mapping[str, Mapping[str, CellCounts]]) -> dict[str, RowCells]:
    known = [(result.spec.config.seed, cells[result.key]) for result in results if cells.get(result.key)]
    if len(known) < len(results):
        return {}
    splits = [split for split in known[0][1] if all(split in counts for _, counts in known)]
    return {split: RowCells({seed: counts[split] for seed, counts in known}) for split in splits}


def _epochs(result: ExperimentResult) -> str:
    run, last = counted(len(result.history), "epoch"), result.kept_epoch == len(result.history)
    stopping = result.spec.config.early_stopping
    if last and not stopping:
        return run
    kept = f"{run}, of which {'the last' if last else f'epoch {result.kept_epoch}'} is kept"
    if not (stopping and stopping.restore_best):
        return kept
    extreme = "lowest" if stopping.monitor == "val_loss" else "highest"
    return f"{kept} by early stopping ({extreme} {stopping.monitor})"


def _reason(outcome: RowOutcome) -> tuple[str, ...]:
    lines = [line.strip() for line in outcome.reason.splitlines()]
    return tuple(filter(None, lines)) or ("the store holds no result under its key",)


def _test_images(config: ExperimentConfig, info: DatasetInfo) -> tuple[object, ...]:
    """What `bloodcell.data.splits.assign` chooses the test images by, beside the seed."""
    if info.declared.get("TEST") and config.split != "pooled":
        return ("as declared",)
    unit = "source" if config.split != "pooled" and info.sources_known else "image"
    return (unit, config.test_fraction)


def finished(rows: Sequence[Row]) -> tuple[FinishedRow, ...]:
    """The rows that have a result."""
    return tuple(row for row in rows if isinstance(row, FinishedRow))


def unfinished(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that have none."""
    return tuple(row for row in rows if not isinstance(row, FinishedRow))


def tested_alike(rows: Sequence[Row]) -> bool:
    """Whether the rows are tested on the same images, seed by seed."""
    return len({row.test_images for row in rows}) <= 1


def ranked(rows: Sequence[FinishedRow]) -> tuple[FinishedRow, ...]:
    """The rows that have a result of every seed that any has: means over other seeds do not compare with theirs."""
    seeds = {seed for row in rows for seed in row.seeds}
    return tuple(row for row in rows if seeds == set(row.seeds))


def best(rows: Sequence[FinishedRow]) -> tuple[FinishedRow, ...]:
    """The ranked rows with the highest test accuracy, several where they share it; none where test images differ."""
    if not tested_alike(rows):
        return ()
    highest = max((row.test.accuracy for row in ranked(rows)), default=None)
    return tuple(row for row in ranked(rows) if row.test.accuracy == highest)


def varied_fields(rows: Sequence[Row]) -> tuple[str, ...]:
    """The settings in which rows differ: the study's in its order, then the others in that of ExperimentConfig."""
    varied = {field for row in rows for field in row.differing}
    return tuple(field for field in dict.fromkeys([*STUDY_FIELDS, *ExperimentConfig.model_fields]) if field in varied)
