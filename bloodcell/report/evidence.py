"""A row's figures with their intervals, and what new cells cost against cells that it has seen."""

from collections.abc import Iterator, Sequence

from bloodcell.formatting import percent, points
from bloodcell.report.intervals import Interval, RowCells
from bloodcell.report.rows import FinishedRow, Row, finished

Line = tuple[str, str, str, str]
"""What it is, its value, its 95% interval, and the number of source cells behind it."""

_WIDE = 0.5
"""Of an interval that is explained, as a share of the whole scale."""


def interval_lines(row: FinishedRow) -> tuple[Line, ...]:
    """The test figures, and the difference between cells that were seen in training and new ones.

    Empty where source cells are not known.
    """
    return tuple(_lines(row)) if "test" in row.cells else ()


def interval_text(interval: Interval) -> str:
    """`81.20% to 92.45%`."""
    return f"{percent(interval.low)} to {percent(interval.high)}"


def wide_note(row: FinishedRow) -> str:
    """Why intervals of a row are wider than half the scale; empty where none is."""
    if "test" not in row.cells or all(interval.high - interval.low <= _WIDE for interval in _intervals(row)):
        return ""
    trainings = f", or on {len(row.results)} trainings that differ much" if len(row.results) > 1 else ""
    return (
        "Where an interval is wider than half the scale, its figure says next to nothing: it rests on few source "
        f"cells{trainings}."
    )


def _intervals(row: FinishedRow) -> Iterator[Interval]:
    yield from (interval for _, interval in _of_test(row))
    if "seen" in row.cells:
        yield row.cells["seen"].accuracy


def cells_note(rows: Sequence[Row]) -> str:
    """Why counts of source cells differ from table to table; empty where they do not."""
    known = [row for row in finished(rows) if "test" in row.cells]
    sentences = []
    if any(len(row.results) > 1 for row in known):
        sentences.append(
            "Images and source cells by split are means over a row's trainings; the source cells beside an interval "
            "are all that any of them scored."
        )
    twice = max((_of_two_classes(row) for row in known), default=0)
    if twice:
        have = (
            "cell has images under two labels, and counts"
            if twice == 1
            else "cells have images under two labels, and count"
        )
        sentences.append(f"{twice:,} test {have} for both recalls: so these have more cells than the accuracy.")
    return " ".join(sentences)


def _of_two_classes(row: FinishedRow) -> int:
    """Test cells that have images of more than one class."""
    test = row.cells["test"]
    by_class = sum(test.recall(number).cells for number, figures in enumerate(row.test.classes) if figures.images)
    return by_class - test.accuracy.cells


def _lines(row: FinishedRow) -> Iterator[Line]:
    (name, accuracy), *others = _of_test(row)
    yield _line(name, accuracy)
    if "seen" in row.cells:
        seen = row.cells["seen"]
        yield _line("Accuracy on seen cells", seen.accuracy)
        if row.config.split == "source":  # else the test may show seen cells too
            yield _gain(seen, row.cells["test"])
    for name, interval in others:
        yield _line(name, interval)


def _of_test(row: FinishedRow) -> Iterator[tuple[str, Interval]]:
    """The figures of the test by name, its accuracy first."""
    test = row.cells["test"]
    yield "Accuracy on new cells" if row.config.split == "source" else "Accuracy on the test", test.accuracy
    yield "Balanced accuracy", test.balanced_accuracy
    yield "Macro F1", test.macro_f1
    for number, figures in enumerate(row.test.classes):
        if figures.images:
            yield f"Recall of {figures.label}", test.recall(number)


def _line(name: str, interval: Interval) -> Line:
    return name, percent(interval.value), interval_text(interval), f"{interval.cells:,}"


def _gain(seen: RowCells, new: RowCells) -> Line:
    """What a random split would add to the figure."""
    change, low, high = seen.gain(new)
    return "Gain from having seen the cell", f"{points(change)} points", f"{points(low)} to {points(high)}", ""
