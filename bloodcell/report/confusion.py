"""Confusion matrices, in which every image counts once, or every source cell."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bloodcell.report.style import INK, dress, png

_SPACIOUS = 6  # classes up to which a field has room for its share, and two matrices stand side by side


def matrices(
    images: npt.ArrayLike, labels: Sequence[str], title: str, cells: npt.NDArray[np.float64] | None = None
) -> bytes:
    """The matrices by image and by source cell, each field shaded by its share of its true class.

    Args:
        images: Shape (classes, classes): images of class i called class j.
        labels: Classes, in order.
        title: Printed above, in as many lines as it needs.
        cells: As from `bloodcell.report.cells.by_cell`; None where source cells are not known, which leaves the first
            matrix alone.
    """
    side = max(4.8, 1.6 + 0.45 * len(labels))
    if cells is None:
        figure = Figure(figsize=(side, side * 0.8), layout="constrained")
        _matrix(figure.subplots(), np.asarray(images), labels)
        return png(figure, title)
    beside = len(labels) <= _SPACIOUS
    figure = Figure(figsize=(6.4, 3.5) if beside else (side, side * 1.6), layout="constrained")
    first, second = figure.subplots(1, 2, sharey=True) if beside else figure.subplots(2, 1)
    _matrix(first, np.asarray(images), labels, halved=beside)
    _matrix(second, cells, labels, number=_parts, halved=beside)
    if beside:
        second.set_ylabel("")
    for axes, unit in ((first, "images"), (second, "source cells")):
        axes.set_title(unit, fontsize=9, color=INK)
    return png(figure, title)


def _whole(count: float) -> str:
    return f"{int(count):,}"


def _parts(count: float) -> str:
    """Of cells that are shared out: a tenth everywhere, as `12` beside `0.0` would look like another kind of number."""
    return "<0.1" if 0 < count < 0.05 else f"{count:,.1f}"


def _matrix(
    axes: Axes,
    counts: npt.NDArray[np.number],
    labels: Sequence[str],
    *,
    number: Callable[[float], str] = _whole,
    halved: bool = False,
) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=colormaps["Blues"], vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        text = f"{number(count)}\n{share:.0%}" if len(labels) <= _SPACIOUS else number(count)
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if share > 0.55 else INK)
    dress(axes, x="predicted class", y="true class")
    axes.grid(visible=False)
    positions = np.arange(len(labels))
    room = 20 if halved else 44  # characters
    long = max(map(len, labels), default=0) * len(labels) > room
    axes.set_xticks(positions, labels, parse_math=False, rotation=35 if long else 0, ha="right" if long else "center")
    axes.set_yticks(positions, labels, parse_math=False)
