"""The results table, and the same rows as CSV."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bloodcell.artifacts import SPLITS, ExperimentResult, SplitMetrics
from bloodcell.formatting import milliseconds, noun, percent, points, setting_text, shortened
from bloodcell.report.comparisons import Comparisons
from bloodcell.report.machines import machine_differences
from bloodcell.report.rows import STUDY_FIELDS, FinishedRow, Row, best, finished, varied_fields

_HEADINGS = {"hidden_layers": "Hidden Layer", "dense_units": "Dense Count", "learning_rate": "Learning Rate"}
_SEVERAL = "several settings"
_UNDEFINED = "\N{EN DASH}"
_REASON_LENGTH = 90  # characters that still fit a table's cell; the row's own section has the whole


@dataclass(frozen=True)
class Cell:
    """Plain text, and whether it stands out."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Group:
    """The rows that change the same setting against the first row, which itself stands in a group without title."""

    title: str
    lines: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """The results table; every line has a cell for each heading."""

    headings: tuple[str, ...]
    groups: tuple[Group, ...]


def results_table(rows: Sequence[Row], compared: Comparisons) -> Table:
    """The study's columns, one for each further setting in which rows differ, and what may be said of the figures.

    Bold are the settings in which a row differs from the first, the highest test accuracy where the rows may be
    ranked, and the least learning time where times compare; all where they tie. The accuracy's interval stands beside
    it where source cells are known, the number of trainings where it is not the same everywhere, and how the row stands
    to the best where rows can be compared.

    Args:
        rows: Of the grid run.
        compared: Its rows with one another.
    """
    fields = tuple(dict.fromkeys([*STUDY_FIELDS, *varied_fields(rows)]))
    done = finished(rows)
    winners = best(done)
    least = None if machine_differences(done) else min((milliseconds(row.seconds) for row in done), default=None)
    columns: dict[str, Callable[[FinishedRow], Cell]] = {
        "Trainings": lambda row: Cell(str(len(row.results))),
        "Accuracy": lambda row: Cell(percent(row.test.accuracy), row in winners),
        "95% Interval": lambda row: Cell(_interval(row)),
        "Against Best": lambda row: Cell(_standing(row, winners, compared)),
        "Learning Time (ms)": lambda row: Cell(f"{milliseconds(row.seconds):,}", milliseconds(row.seconds) == least),
    }
    if len({len(row.results) for row in done}) <= 1:
        del columns["Trainings"]
    if not any("test" in row.cells for row in done):
        del columns["95% Interval"]
    if not (winners and compared.pairs):
        del columns["Against Best"]
    groups: dict[str, list[tuple[Cell, ...]]] = {}
    for row in rows:
        settings = (Cell(setting_text(row.config, field), field in row.differing) for field in fields)
        figures = (
            [column(row) for column in columns.values()] if isinstance(row, FinishedRow) else _failed(row, columns)
        )
        groups.setdefault(_group(row), []).append((Cell(row.name), *settings, *figures))
    if _SEVERAL in groups:
        groups[_SEVERAL] = groups.pop(_SEVERAL)  # last
    return Table(
        headings=("Model", *(_HEADINGS.get(field, noun(field).title()) for field in fields), *columns),
        groups=tuple(Group(title, tuple(lines)) for title, lines in groups.items()),
    )


def _interval(row: FinishedRow) -> str:
    if "test" not in row.cells:
        return ""
    found = row.cells["test"].accuracy
    return f"{100 * found.low:.1f}\N{EN DASH}{100 * found.high:.1f}%"


def _standing(row: FinishedRow, winners: Sequence[FinishedRow], compared: Comparisons) -> str:
    if row in winners:
        return "best" if len(winners) == 1 else "shared best"
    found = compared.between(winners[0], row)
    return "" if found is None else "tied with best" if found.tied else f"{points(found.change)} points"


def _failed(row: Row, columns: Iterable[str]) -> list[Cell]:
    shown = shortened(row.failures[0].reason[0], _REASON_LENGTH)
    return [Cell(f"failed: {shown}" if column == "Accuracy" else "") for column in columns]


def _group(row: Row) -> str:
    if len(row.changed) > 1:
        return _SEVERAL
    return noun(row.changed[0]) if row.changed else ""


def class_lines(metrics: SplitMetrics) -> tuple[tuple[str, ...], ...]:
    """Label, images, precision, recall and F1 of each class; a dash where a figure would be a division by zero."""
    lines = []
    for column, figures in enumerate(metrics.classes):
        called = sum(row[column] for row in metrics.confusion)
        defined = (called, figures.images, called + figures.images)
        values = (figures.precision, figures.recall, figures.f1)
        texts = (f"{value:.4f}" if count else _UNDEFINED for value, count in zip(values, defined, strict=True))
        lines.append((figures.label, f"{figures.images:,}", *texts))
    return tuple(lines)


def results_csv(rows: Sequence[Row], compared: Comparisons) -> bytes:
    """One line a row, numbers in full precision; the figures of a failed row are empty.

    Args:
        rows: Of the grid run.
        compared: Its rows with one another.
    """
    winners = best(finished(rows))
    return _csv(
        _settings(row)
        | ({} if not isinstance(row, FinishedRow) else _figures(row) | _against_best(row, winners, compared))
        for row in rows
    )


def runs_csv(rows: Sequence[Row]) -> bytes:
    """One line a training, numbers in full precision; the figures of a failed one are empty."""
    records = []
    for row in rows:
        results = {result.key: result for result in row.results} if isinstance(row, FinishedRow) else {}
        for outcome in row.outcomes:
            record = {"row": row.name, "seed": outcome.config.seed, "key": outcome.key, "status": outcome.status}
            records.append(record | {"reason": outcome.reason} | _training(results.get(outcome.key)))
    return _csv(records)


def _csv(records: Iterable[Mapping[str, object]]) -> bytes:
    records = list(records)
    columns = dict.fromkeys(column for record in records for column in record)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().encode()


def _settings(row: Row) -> dict[str, object]:
    values = row.config.model_dump(mode="json", exclude={"seed"}) | {"image_size": row.config.side}
    return {
        "row": row.name,
        "status": row.status,
        "reason": "\n".join(line for failure in row.failures for line in failure.reason),
        "architecture": row.config.architecture,
    } | {field: json.dumps(value) if isinstance(value, dict) else value for field, value in values.items()}


def _figures(row: FinishedRow) -> dict[str, object]:
    record: dict[str, object] = {
        "trainings": len(row.results),
        "seeds": " ".join(map(str, row.seeds)),
        "parameters": row.result.parameters,
        "learning_seconds": row.seconds,
        "learning_time_ms": milliseconds(row.seconds),
        "waiting_fraction": row.waiting,
    }
    for split, metrics in row.metrics.items():
        record |= {f"{split}_{figure}": value for figure, value in _flat(metrics).items()}
        if cells := row.cells.get(split):
            record |= {f"{split}_accuracy_low": cells.accuracy.low, f"{split}_accuracy_high": cells.accuracy.high}
    if row.diagnostics.calibration:
        record["test_calibration_error"] = row.diagnostics.calibration.error
    return record


def _against_best(row: FinishedRow, winners: Sequence[FinishedRow], compared: Comparisons) -> dict[str, object]:
    if not winners or not (found := compared.between(winners[0], row)):
        return {}
    return {"against_best": found.change, "against_best_low": found.low, "against_best_high": found.high, "p": found.p}


def _training(result: ExperimentResult | None) -> dict[str, object]:
    if result is None:
        return {}
    record: dict[str, object] = {
        "epochs_run": len(result.history),
        "kept_epoch": result.kept_epoch,
        "learning_seconds": result.learning_seconds,
        "waiting_fraction": result.waiting_fraction,
    }
    for split in SPLITS:
        if metrics := result.metrics.get(split):
            record |= {f"{split}_{figure}": value for figure, value in _flat(metrics).items()}
    return record


def _flat(metrics: SplitMetrics) -> dict[str, object]:
    return metrics.model_dump(exclude={"classes", "confusion"})
