"""The charts of a training and of a grid, as PNG bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from bloodcell.artifacts import SPLITS, EpochRecord
from bloodcell.report.style import INK, RULE, SOFT, dress, percent, png
from bloodcell.report.titles import inches

# Okabe and Ito's palette, which colour-blind readers can tell apart; the marker tells it a second time.
_COLOUR = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73", "seen": "#CC79A7"}
_MARKER = {"train": "o", "validation": "s", "test": "D", "seen": "^"}
# The test figure is the one that counts; the others are outlines, so that points at one place all show.
_HOLLOW: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 1.6}
_SOLID: dict[str, Any] = {"markeredgewidth": 0}
_INTERVAL: dict[str, dict[str, Any]] = {"test": {"linewidth": 4, "alpha": 0.4}, "seen": {"linewidth": 1.4}}

_ASIDE = 6
"""Points of 1/72 inch by which `seen` stands to the right of its row's line, lest it hide the test's interval."""

_LEAST_ACCURACY_SPAN = 0.2
"""Of the curves' axis: less would make noise look like learning."""

_LEAST_SPAN = 0.2
"""Of the comparison's time axis, as a share of the longest time."""


@dataclass(frozen=True)
class Point:
    """A row in the comparison.

    Attributes:
        seconds: Learning time.
        accuracies: By split.
        intervals: Their 95% intervals, low and high, by split; empty where there are none.
    """

    seconds: float
    accuracies: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


def curves(histories: Sequence[Sequence[EpochRecord]], title: str) -> bytes:
    """Loss and accuracy over the epochs, of the training and the validation images.

    Of several trainings each is a thin line, and their mean a thick one, over the epochs that all of them ran.
    The legend names both.

    Args:
        histories: Of each training one record an epoch; at least one training.
        title: Printed above, in as many lines as it needs.
    """
    figure = Figure(figsize=(5.8, 2.8), layout="constrained")
    shared = min(map(len, histories))
    epochs = [record.epoch for record in histories[0][:shared]]
    loss, accuracy = figure.subplots(1, 2)
    for axes, training, validation in ((loss, "loss", "val_loss"), (accuracy, "accuracy", "val_accuracy")):
        for split, field in (("train", training), ("validation", validation)):
            if len(histories) > 1:
                for history in histories:
                    values = [getattr(record, field) for record in history]
                    axes.plot(range(1, len(values) + 1), values, color=_COLOUR[split], linewidth=0.6, alpha=0.35)
            mean = np.mean([[getattr(record, field) for record in history[:shared]] for history in histories], axis=0)
            axes.plot(epochs, mean, **_series(split, size=3.5))
        dress(axes, x="epoch", y=training)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        if max(map(len, histories)) == 1:
            axes.set_xticks(epochs)
    if len(histories) > 1:
        loss.plot([], [], color=SOFT, linewidth=0.6, label="one training (thick: their mean)")
    loss.set_ylim(0, 1.05 * loss.get_ylim()[1])  # room above the highest point, which may be the only one
    low, high = accuracy.get_ylim()
    widened = max(0.0, _LEAST_ACCURACY_SPAN - (high - low)) / 2
    accuracy.set_ylim(low - widened, high + widened)
    percent(accuracy)
    return png(figure, title, legend=loss)


def comparison(rows: Mapping[str, Point], title: str, *, named: bool = True) -> bytes:
    """Accuracy against learning time: one vertical line per row, on it one point per split, with its interval.

    Args:
        rows: By name; at least one.
        title: Printed above, in as many lines as it needs.
        named: Whether there is room for the rows' names.
    """
    names = sorted(rows, key=lambda name: rows[name].seconds)
    unit, seconds = _time_unit(rows[names[-1]].seconds)
    times = [rows[name].seconds / seconds for name in names]
    figure = Figure(figsize=(5.8, 3.4), layout="constrained")
    axes = figure.subplots()
    for split in SPLITS:
        _split(axes, split, [(time, rows[name]) for time, name in zip(times, names, strict=True)], named)
    dress(axes, x=f"learning time ({unit})", y="accuracy")
    axes.grid(visible=False, axis="x")
    # Times that hardly differ are not drawn apart: their difference is the machine's.
    widened = max(0.0, _LEAST_SPAN * times[-1] - (times[-1] - times[0])) / 2
    margin = 0.06 * (times[-1] - times[0] + 2 * widened)
    axes.set_xlim(max(0.0, times[0] - widened - margin), times[-1] + widened + margin)
    percent(axes)
    if named:
        figure.set_figheight(3.4 + _name_rows(figure, axes, names, times))
    return png(figure, title, legend=axes)


def _split(axes: Axes, split: str, rows: Sequence[tuple[float, Point]], named: bool) -> None:
    """Draw the points of one split and their intervals: those of `seen` beside their line, where lines are few.

    Args:
        axes: Where to.
        split: Which.
        rows: Each with its place on the time axis.
        named: Whether they are so few that each has its name.
    """
    size = 7 if named else 3
    drawn: list[Artist] = []
    if points := [(time, row.accuracies[split]) for time, row in rows if split in row.accuracies]:
        face = _SOLID if split == "test" else _HOLLOW
        drawn += axes.plot(*zip(*points, strict=True), linestyle="none", clip_on=False, **_series(split, size), **face)
    if bars := [(time, *row.intervals[split]) for time, row in rows if split in row.intervals]:
        label = f"{split}: 95% interval"
        drawn.append(axes.vlines(*zip(*bars, strict=True), color=_COLOUR[split], label=label, **_INTERVAL[split]))
    if named and split == "seen":
        # Only now: the axes take their range from what is drawn in the units of the data.
        aside = ScaledTranslation(_ASIDE / 72, 0, axes.figure.dpi_scale_trans)
        for artist in drawn:
            artist.set_transform(axes.transData + aside)


def _name_rows(figure: Figure, axes: Axes, names: Sequence[str], times: Sequence[float]) -> float:
    """Write the names above the axes, moved apart where their lines stand too close; return their height in inches."""
    heights = []
    low, high = axes.get_xlim()
    places = spread([(time - low) / (high - low) for time in times], distance=0.05)
    # Long names stand upright: slanted, the last would need more width than the axes have.
    slant = 90 if max(map(len, names)) > 16 else 40
    for name, time, place in zip(names, times, places, strict=True):
        axes.axvline(time, color=RULE, linewidth=0.8, zorder=1)
        written = axes.annotate(
            name,
            xy=(time, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(place, 1.07),
            textcoords="axes fraction",
            rotation=slant,
            rotation_mode="anchor",
            ha="left",
            va="center" if slant == 90 else "baseline",
            fontsize=8,
            color=INK,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": RULE,
                "linewidth": 0.8,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0.5 if slant == 90 else 0, 0),
            },
        )
        heights.append(inches(written, figure)[1])
    return max(heights)


def spread(places: Sequence[float], distance: float) -> list[float]:
    """Ascending places within 0 and 1, moved right and then back left until neighbours stand `distance` apart.

    Where they do not all fit, they share the whole range evenly.
    """
    distance = min(distance, 1 / max(len(places) - 1, 1))
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + distance) if moved else place)
    limit = 1.0
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - distance
    return moved


def _time_unit(longest: float) -> tuple[str, float]:
    """The unit in which `longest` seconds read well, and its seconds."""
    return next(
        ((unit, size) for unit, size in (("hours", 3600.0), ("minutes", 60.0)) if longest >= 2 * size), ("seconds", 1.0)
    )


def _series(split: str, size: float) -> dict[str, Any]:
    return {"label": split, "color": _COLOUR[split], "marker": _MARKER[split], "markersize": size, "linewidth": 1.6}
