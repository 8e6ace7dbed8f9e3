"""The rows of a grid run, each with its result where it has one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bloodcell.artifacts import ExperimentResult, GridRun, RowOutcome, SplitMetrics
from bloodcell.config import ExperimentConfig
from bloodcell.report.formatting import listed, noun, setting_text

SEED_FIELDS = ("hidden_layers", "dense_units", "learning_rate")
"""The settings the seed study varies: every results table has their columns."""

SPLITS = ("train", "validation", "test", "seen")
"""The splits in the order in which every table and picture shows them."""


@dataclass(frozen=True)
class Row:
    """A row of the grid; without a result unless it is a FinishedRow."""

    outcome: RowOutcome

    @property
    def name(self) -> str:
        """The row's name."""
        return self.outcome.name

    @property
    def config(self) -> ExperimentConfig:
        """The row's configuration: the only source of what the report says of its settings."""
        return self.outcome.config

    @property
    def changed(self) -> tuple[str, ...]:
        """The settings in which the row differs from the grid's first."""
        # The hash follows the weights, and says nothing beside them.
        return tuple(
            field for field in self.outcome.changed if field != "weights_sha256" or len(self.outcome.changed) == 1
        )

    @property
    def changes(self) -> str:
        """Those settings with the row's values: `hidden layers 2`."""
        return listed([f"{noun(field)} {setting_text(self.config, field)}" for field in self.changed])

    @property
    def failure(self) -> tuple[str, ...]:
        """Why there is no result: at least one line."""
        lines = [line.strip() for line in self.outcome.reason.splitlines()]
        return tuple(filter(None, lines)) or ("the store holds no result under its key",)


@dataclass(frozen=True)
class FinishedRow(Row):
    """A row that has a result."""

    result: ExperimentResult

    @property
    def test(self) -> SplitMetrics:
        """Its figures on the test images."""
        return self.result.metrics["test"]

    @property
    def seconds(self) -> float:
        """Its learning time in seconds."""
        return self.result.learning_seconds


def rows_of(run: GridRun, results: Mapping[str, ExperimentResult]) -> tuple[Row, ...]:
    """The run's rows in order. A failed row has no result, whatever `results` holds.

    Args:
        run: The grid run.
        results: By key.
    """
    return tuple(
        FinishedRow(row, results[row.key]) if row.status != "failed" and row.key in results else Row(row)
        for row in run.rows
    )


def finished(rows: Sequence[Row]) -> tuple[FinishedRow, ...]:
    """The rows that have a result."""
    return tuple(row for row in rows if isinstance(row, FinishedRow))


def unfinished(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that have none."""
    return tuple(row for row in rows if not isinstance(row, FinishedRow))


def best(rows: Sequence[FinishedRow]) -> tuple[FinishedRow, ...]:
    """The rows with the highest test accuracy: several where they tie."""
    highest = max((row.test.accuracy for row in rows), default=None)
    return tuple(row for row in rows if row.test.accuracy == highest)


def varied_fields(rows: Sequence[Row]) -> tuple[str, ...]:
    """The settings in which rows differ: the seed's in its order, then the others in that of ExperimentConfig."""
    varied = {field for row in rows for field in row.changed}
    # A backbone brings its own image size along where the grid leaves the size out.
    if len({row.config.side for row in rows}) > 1:
        varied.add("image_size")
    return tuple(field for field in dict.fromkeys([*SEED_FIELDS, *ExperimentConfig.model_fields]) if field in varied)
