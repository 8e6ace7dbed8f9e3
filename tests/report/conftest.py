"""Grid runs made of given figures, the original study's own first of all."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bloodcell.artifacts import (
    ClassMetrics,
    EpochRecord,
    ExperimentResult,
    ExperimentSpec,
    GridRun,
    Leakage,
    LeakageAudit,
    RowOutcome,
    SplitMetrics,
    SplitSettings,
)
from bloodcell.config import ExperimentConfig, GridConfig
from bloodcell.data.dataset import DatasetInfo, Duplicate
from bloodcell.grids import load_grid
from bloodcell.report import confusion, plots, reliability
from bloodcell.report.building import build_report
from bloodcell.report.cells import CellCounts
from bloodcell.report.comparisons import compare
from bloodcell.report.diagnostics import Diagnostics
from bloodcell.report.drawings import LastDrawings
from bloodcell.report.folder import Folder
from bloodcell.report.nights import Trainings
from bloodcell.report.rows import Row, finished, rows_of

LABELS = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
SIZES = {"train": 8000, "validation": 2000, "test": 2500, "seen": 800}

# Loss and accuracy on train, validation and test, and the clock: the write-up's own figures.
STUDY = {
    "basic": (0.3059, 0.8248, 0.0316, 0.9935, 0.0309, 0.9944, "0:53:20.448415"),
    "dense-16": (0.1335, 0.9514, 0.0219, 0.9930, 0.0227, 0.9948, "0:50:05.980897"),
    "dense-32": (0.0145, 0.9959, 0.0319, 0.9910, 0.0239, 0.9944, "0:47:13.427400"),
    "hidden-2": (0.9951, 0.5164, 0.6088, 0.9900, 0.6134, 0.9916, "0:54:24.468800"),
    "hidden-3": (1.1591, 0.4356, 1.0270, 0.5010, 1.0250, 0.5008, "0:48:10.646637"),
    "rate-5e-5": (0.2926, 0.8252, 0.0194, 0.9970, 0.0071, 0.9984, "0:41:58.517229"),
    "rate-1e-4": (0.2757, 0.8615, 0.7322, 0.8970, 0.7722, 0.8956, "0:41:14.884448"),
}


@dataclass(frozen=True)
class Figures:
    """What one row measured; accuracies and losses by split."""

    accuracy: Mapping[str, float]
    loss: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 60.0
    environment: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 10
    waiting: float | None = None


@dataclass(frozen=True)
class Example:
    """What a report is made of."""

    run: GridRun
    info: DatasetInfo
    results: dict[str, ExperimentResult]
    cells: Mapping[str, Mapping[str, CellCounts]] = field(default_factory=dict)
    earlier: Trainings = field(default_factory=dict)
    diagnostics: Mapping[str, Diagnostics] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Row, ...]:
        return rows_of(self.run.rows, self.info, self.results, self.cells, self.diagnostics)

    @cached_property
    def files(self) -> dict[str, bytes]:
        return self.reported()

    def reported(self, last: LastDrawings | None = None) -> dict[str, bytes]:
        """The files of its report, with charts that are known."""
        compared = compare(finished(self.rows))
        with TemporaryDirectory() as folder:
            return dict(
                build_report(
                    self.run, self.info, self.rows, compared, self.earlier, folder=Path(folder, "report"), last=last
                ).items()
            )

    @property
    def markdown(self) -> str:
        return self.files["report.md"].decode()

    @property
    def opening(self) -> str:
        """What stands before the results."""
        return self.markdown.split("## Results")[0]


Outcome = Figures | str | list[Figures | str]
"""What became of a row: of each of its trainings, or of all of them alike."""

Build = Callable[..., Example]


def folder_of(root: Path, files: Mapping[str, bytes]) -> Folder:
    """Files as `build_report` leaves them."""
    folder = Folder(root)
    for name, data in files.items():
        folder[name] = data
    return folder


def split_metrics(
    accuracy: float, loss: float = 0.1, images: int = 2500, sources: int | None = None, labels: tuple[str, ...] = LABELS
) -> SplitMetrics:
    share = images // len(labels)
    right = round(share * accuracy)
    classes = tuple(
        ClassMetrics(label=label, images=share, precision=accuracy, recall=accuracy, f1=accuracy) for label in labels
    )
    confusion = [[0] * len(labels) for _ in labels]
    for index in range(len(labels)):
        confusion[index][index] = right
        confusion[index][(index + 1) % len(labels)] += share - right
    return SplitMetrics(
        images=images,
        sources=images if sources is None else sources,
        loss=loss,
        accuracy=accuracy,
        balanced_accuracy=accuracy,
        macro_f1=accuracy,
        classes=classes,
        confusion=tuple(map(tuple, confusion)),
    )


def cells_of(accuracy: float, count: int, labels: tuple[str, ...] = LABELS) -> CellCounts:
    """So many cells of 36 images, right or wrong as a whole but for one: the same ones first for every accuracy."""
    right = np.clip(accuracy * count - np.random.default_rng(0).permutation(count), 0, 1) * 36
    strata = np.arange(count) % len(labels)
    confusion = np.zeros((count, len(labels), len(labels)))
    confusion[range(count), strata, strata] = right
    confusion[range(count), strata, (strata + 1) % len(labels)] = 36 - right
    return CellCounts(np.array([f"{number:05d}" for number in range(count)], dtype=object), confusion, strata)


def leakage_of(config: ExperimentConfig, *, test: int | None, validation: int | None) -> LeakageAudit:
    """An audit of a configuration's split with so many images that leak."""
    return LeakageAudit(
        settings=SplitSettings.of(config),
        validation=Leakage(images=SIZES["validation"], leaked=validation),
        test=Leakage(images=SIZES["test"], leaked=test),
    )


def history(accuracy: Mapping[str, float], epochs: int = 10, waiting: float | None = None) -> tuple[EpochRecord, ...]:
    def record(epoch: int) -> EpochRecord:
        left = math.exp(-epoch / 3)
        train, validation = accuracy["train"] * (1 - 0.6 * left), accuracy["validation"] * (1 - 0.5 * left)
        return EpochRecord(
            epoch=epoch,
            loss=0.2 + 1.1 * left,
            accuracy=train,
            val_loss=0.1 + 1.0 * left,
            val_accuracy=validation,
            seconds=6.0,
            waiting=waiting,
        )

    return tuple(record(epoch) for epoch in range(1, epochs + 1))


def build(
    grid: GridConfig,
    outcomes: Mapping[str, Outcome],
    *,
    sources: Mapping[str, int] | None = None,
    synthetic: bool = False,
    labels: tuple[str, ...] = LABELS,
    origin: str = "blood-cells.zip",
    command: str = "python -m flows.grid --grid blood-cell",
    declares_test: bool = True,
    leakage: tuple[LeakageAudit, ...] = (),
) -> Example:
    """A run whose rows measured `outcomes`; a string is the reason of a training that failed."""
    rows, results, cells = [], {}, {}
    finished = datetime(2025, 3, 1, 12, tzinfo=UTC)
    for row in grid.runs:
        spec = ExperimentSpec(config=row.config, dataset="cells", dataset_version="d" * 16, code_version="c" * 16)
        outcome = outcomes[row.name]
        if isinstance(outcome, list):
            outcome = outcome[row.config.seed - grid.rows[0].config.seed]
        failed = isinstance(outcome, str)
        rows.append(
            RowOutcome(
                name=row.name,
                key=spec.key,
                config=row.config,
                changed=row.changed,
                status="failed" if failed else "trained",
                reason=outcome if failed else "",
            )
        )
        if isinstance(outcome, str):
            continue
        metrics = {
            split: split_metrics(
                accuracy, outcome.loss.get(split, 0.1), SIZES[split], (sources or SIZES)[split], labels
            )
            for split, accuracy in outcome.accuracy.items()
        }
        results[spec.key] = ExperimentResult(
            key=spec.key,
            spec=spec,
            labels=labels,
            sources_known=sources is not None,
            metrics=metrics,
            history=history(outcome.accuracy, outcome.epochs, outcome.waiting),
            kept_epoch=8,
            learning_seconds=outcome.seconds,
            parameters=21_802_784,
            finished=finished,
            environment=dict(outcome.environment),
            files={},
        )
        if sources:
            cells[spec.key] = {
                split: cells_of(outcome.accuracy[split], sources[split], labels)
                for split in ("test", "seen")
                if split in outcome.accuracy
            }
    run = GridRun(
        run_id="20250301-120000",
        grid=grid,
        dataset="cells",
        dataset_version="d" * 16,
        code_version="c" * 16,
        rows=tuple(rows),
        started=finished - timedelta(hours=5),
        finished=finished,
        command=command,
        leakage=leakage,
    )
    info = DatasetInfo(
        name="blood-cells",
        version="d" * 16,
        origin=origin,
        synthetic=synthetic,
        labels=labels,
        images=12_500,
        sources=348 if sources else 12_500,
        sources_known=sources is not None,
        declared={"TRAIN": dict.fromkeys(labels, 2500), "TEST": dict.fromkeys(labels, 625)}
        if declares_test
        else {"": dict.fromkeys(labels, 3125)},
        duplicates=(Duplicate(dropped="b.jpeg", kept="a.jpeg"),),
        skipped=(),
        shards={},
        manifest_sha256="0" * 64,
        created=finished,
    )
    return Example(run, info, results, cells)


def study_figures() -> dict[str, Outcome]:
    def figures(values: tuple[float, float, float, float, float, float, str]) -> Figures:
        *numbers, time = values
        hours, minutes, seconds = time.split(":")
        splits = ("train", "validation", "test")
        return Figures(
            loss=dict(zip(splits, numbers[::2], strict=True)),
            accuracy=dict(zip(splits, numbers[1::2], strict=True)),
            seconds=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        )

    return {name: figures(values) for name, values in STUDY.items()}


@pytest.fixture(scope="session")
def study() -> Example:
    """The original study's seven rows, pooled and split at random as it did."""
    return build(load_grid("blood-cell").with_overrides({"split": "pooled"}), study_figures())


@pytest.fixture
def grid() -> GridConfig:
    """Two rows that differ in one setting."""
    return GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}})


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the pictures empty, for tests of the words alone: drawing takes a fifth of a second each."""
    for module, name in (
        (plots, "curves"), (plots, "comparison"), (confusion, "matrices"), (reliability, "reliability_diagram"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, lambda *_, **__: b"")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures drawn during the test."""
    figures = []
    draw = FigureCanvasAgg.draw

    def remember(canvas: FigureCanvasAgg) -> None:
        draw(canvas)
        figures.append(canvas.figure)

    monkeypatch.setattr(FigureCanvasAgg, "draw", remember)
    return figures


@pytest.fixture(scope="session")
def seven() -> Build:
    """Builds a run of any grid with the study's seven rows, from the study's figures."""

    def build_seven(grid: GridConfig, **options: Any) -> Example:
        return build(grid, study_figures(), **options)

    return build_seven


@pytest.fixture(scope="session")
def make() -> Build:
    """Builds a run from a grid and the outcome of each row."""
    return build


@pytest.fixture(scope="session")
def figures() -> Callable[..., Figures]:
    """Builds a row's figures from its test accuracy, and that on seen cells where there is one."""

    def of_test(test: float, seen: float | None = None, **options: Any) -> Figures:
        accuracy = {"train": test, "validation": test, "test": test} | ({} if seen is None else {"seen": seen})
        return Figures(accuracy=accuracy, **options)

    return of_test


@pytest.fixture(scope="session")
def metrics() -> Callable[..., SplitMetrics]:
    """Builds the metrics of one split from its accuracy."""
    return split_metrics
