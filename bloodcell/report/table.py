"""The results table, and the same rows as CSV."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from bloodcell.artifacts import SPLITS, SplitMetrics
from bloodcell.report.formatting import milliseconds, noun, percent, setting_text
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


def results_table(rows: Sequence[Row]) -> Table:
    """The study's columns, and one for each further setting in which rows differ.

    Bold are the settings in which a row differs from the first, the highest test accuracy where the rows may be
    ranked, and the least learning time; all where they tie.
    """
    fields = tuple(dict.fromkeys([*STUDY_FIELDS, *varied_fields(rows)]))
    done = finished(rows)
    winners = best(done)
    least = min((milliseconds(row.seconds) for row in done), default=None)
    groups: dict[str, list[tuple[Cell, ...]]] = {}
    for row in rows:
        settings = (Cell(setting_text(row.config, field), field in row.differing) for field in fields)
        line = (Cell(row.name), *settings, *_figures(row, row in winners, least))
        groups.setdefault(_group(row), []).append(line)
    if _SEVERAL in groups:
        groups[_SEVERAL] = groups.pop(_SEVERAL)  # last
    settings_headings = (_HEADINGS.get(field, noun(field).title()) for field in fields)
    return Table(
        headings=("Model", *settings_headings, "Accuracy", "Learning Time (ms)"),
        groups=tuple(Group(title, tuple(lines)) for title, lines in groups.items()),
    )


def _group(row: Row) -> str:
    if len(row.changed) > 1:
        return _SEVERAL
    return noun(row.changed[0]) if row.changed else ""


def _figures(row: Row, is_best: bool, least: int | None) -> tuple[Cell, Cell]:
    if not isinstance(row, FinishedRow):
        reason = row.failure[0]
        shown = reason if len(reason) <= _REASON_LENGTH else f"{reason[: _REASON_LENGTH - 1]}…"
        return Cell(f"failed: {shown}"), Cell("")
    time = milliseconds(row.seconds)
    return Cell(percent(row.test.accuracy), is_best), Cell(f"{time:,}", time == least)


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


def results_csv(rows: Sequence[Row]) -> bytes:
    """One line a row, numbers in full precision; the figures of a failed row are empty."""
    records = [_settings(row) | (_results(row) if isinstance(row, FinishedRow) else {}) for row in rows]
    columns = dict.fromkeys(column for record in records for column in record)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().encode()


def _settings(row: Row) -> dict[str, object]:
    values = row.config.model_dump(mode="json") | {"image_size": row.config.side}
    return {
        "row": row.name,
        "status": row.outcome.status,
        "reason": "" if isinstance(row, FinishedRow) else "\n".join(row.failure),
        "key": row.outcome.key,
        "architecture": row.config.architecture,
    } | {field: json.dumps(value) if isinstance(value, dict) else value for field, value in values.items()}


def _results(row: FinishedRow) -> dict[str, object]:
    record: dict[str, object] = {
        "parameters": row.result.parameters,
        "epochs_run": len(row.result.history),
        "kept_epoch": row.result.kept_epoch,
        "learning_seconds": row.seconds,
        "learning_time_ms": milliseconds(row.seconds),
    }
    for split in SPLITS:
        if metrics := row.result.metrics.get(split):
            figures = metrics.model_dump(exclude={"classes", "confusion"})
            record |= {f"{split}_{figure}": value for figure, value in figures.items()}
        if cells := row.cells.get(split):
            record |= {f"{split}_accuracy_low": cells.accuracy.low, f"{split}_accuracy_high": cells.accuracy.high}
    if row.diagnostics.calibration:
        record["test_calibration_error"] = row.diagnostics.calibration.error
    return record
