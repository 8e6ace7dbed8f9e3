"""The rows of a grid run, each with its result where it has one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bloodcell.artifacts import ExperimentResult, GridRun, RowOutcome, SplitMetrics
from bloodcell.config import ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.diagnostics import Diagnostics
from bloodcell.report.formatting import counted, listed, noun, setting, setting_text
from bloodcell.report.intervals import CellCounts

STUDY_FIELDS = ("hidden_layers", "dense_units", "learning_rate")
"""The settings that the original study varies: every results table has their columns."""

CHOOSE_TEST = ("split", "seed", "test_fraction")
"""The settings that may choose the test images."""


@dataclass(frozen=True)
class Row:
    """A row of the grid; without a result unless it is a FinishedRow.

    Attributes:
        outcome: What became of it.
        first: Configuration of the grid's first row, against which changes count.
        test_images: What decides which images test it: equal where two rows are tested on the same images.
    """

    outcome: RowOutcome
    first: ExperimentConfig
    test_images: tuple[object, ...]

    @property
    def name(self) -> str:
        """The row's name."""
        return self.outcome.name

    @property
    def config(self) -> ExperimentConfig:
        """The row's configuration: the only source of what the report says of its settings."""
        return self.outcome.config

    @cached_property
    def setting(self) -> ExperimentConfig:
        """The configuration but for the seed: rows that agree in it are runs of one setting."""
        return self.config.model_copy(update={"seed": 0, "image_size": self.config.side})

    @property
    def differing(self) -> tuple[str, ...]:
        """The settings in which the row differs from the first, an image size that follows the backbone included."""
        candidates = (
            field for field in ExperimentConfig.model_fields if field in {*self.outcome.changed, "image_size"}
        )
        fields = [field for field in candidates if setting(self.config, field) != setting(self.first, field)]
        # The hash follows the weights, and says nothing beside them.
        return tuple(field for field in fields if field != "weights_sha256" or len(fields) == 1)

    @property
    def changed(self) -> tuple[str, ...]:
        """Those settings that the grid itself changes."""
        return tuple(field for field in self.differing if field in self.outcome.changed)

    @property
    def changes(self) -> str:
        """The differing settings with the row's values: `hidden layers 2`."""
        return listed([f"{noun(field)} {setting_text(self.config, field)}" for field in self.differing])

    @property
    def failure(self) -> tuple[str, ...]:
        """Why there is no result: at least one line."""
        lines = [line.strip() for line in self.outcome.reason.splitlines()]
        return tuple(filter(None, lines)) or ("the store holds no result under its key",)


@dataclass(frozen=True)
class FinishedRow(Row):
    """A row that has a result.

    Attributes:
        result: The result.
        cells: What became of the source cells of the test and of the split seen; empty where they are not known.
        diagnostics: Its calibration and the pictures that its experiment drew.
    """

    result: ExperimentResult
    cells: Mapping[str, CellCounts]
    diagnostics: Diagnostics

    @property
    def test(self) -> SplitMetrics:
        """Its figures on the test images."""
        return self.result.metrics["test"]

    @property
    def seconds(self) -> float:
        """Its learning time in seconds."""
        return self.result.learning_seconds

    @property
    def epochs(self) -> str:
        """How many epochs it ran, and which is kept where that is not the last."""
        run, kept = counted(len(self.result.history), "epoch"), self.result.kept_epoch
        if kept == len(self.result.history):
            return run
        if (stopping := self.config.early_stopping) is None:
            return f"{run}, of which epoch {kept} is kept"
        extreme = "lowest" if stopping.monitor == "val_loss" else "highest"
        return f"{run}, of which epoch {kept} is kept by early stopping ({extreme} {stopping.monitor})"


def rows_of(
    run: GridRun,
    info: DatasetInfo,
    results: Mapping[str, ExperimentResult],
    cells: Mapping[str, Mapping[str, CellCounts]],
    diagnostics: Mapping[str, Diagnostics] | None = None,
) -> tuple[Row, ...]:
    """The run's rows in order. A failed row has no result, whatever `results` holds.

    Args:
        run: The grid run.
        info: The dataset it ran on.
        results: By key.
        cells: By key, of those results whose source cells are known.
        diagnostics: By key, of those results that have any.
    """
    first = run.rows[0].config

    def row_of(outcome: RowOutcome) -> Row:
        images = _test_images(outcome.config, info)
        if outcome.status != "failed" and outcome.key in results:
            shown = (diagnostics or {}).get(outcome.key, Diagnostics())
            return FinishedRow(outcome, first, images, results[outcome.key], cells.get(outcome.key, {}), shown)
        return Row(outcome, first, images)

    return tuple(map(row_of, run.rows))


def _test_images(config: ExperimentConfig, info: DatasetInfo) -> tuple[object, ...]:
    """What `bloodcell.data.splits.assign` chooses the test images by."""
    if info.declared.get("TEST") and config.split != "pooled":
        return ("as declared",)
    unit = "source" if config.split != "pooled" and info.sources_known else "image"
    return (unit, config.seed, config.test_fraction)


def finished(rows: Sequence[Row]) -> tuple[FinishedRow, ...]:
    """The rows that have a result."""
    return tuple(row for row in rows if isinstance(row, FinishedRow))


def unfinished(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that have none."""
    return tuple(row for row in rows if not isinstance(row, FinishedRow))


def tested_alike(rows: Sequence[Row]) -> bool:
    """Whether the rows are tested on the same images."""
    return len({row.test_images for row in rows}) <= 1


def runs_of_one_setting(rows: Sequence[Row]) -> bool:
    """Whether there are several rows, which differ in the seed only."""
    return len(rows) > 1 and len({row.setting for row in rows}) == 1


def best(rows: Sequence[FinishedRow]) -> tuple[FinishedRow, ...]:
    """The rows with the highest test accuracy, several where they tie.

    None where the rows are tested on different images, or are runs of one setting.
    """
    if not tested_alike(rows) or runs_of_one_setting(rows):
        return ()
    highest = max((row.test.accuracy for row in rows), default=None)
    return tuple(row for row in rows if row.test.accuracy == highest)


def varied_fields(rows: Sequence[Row]) -> tuple[str, ...]:
    """The settings in which rows differ: the study's in its order, then the others in that of ExperimentConfig."""
    varied = {field for row in rows for field in row.differing}
    return tuple(field for field in dict.fromkeys([*STUDY_FIELDS, *ExperimentConfig.model_fields]) if field in varied)
