"""The chart of a model's calibration."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from bloodcell.formatting import percent
from bloodcell.report.calibration import BINS, EDGES, Calibration
from bloodcell.report.style import INK, dress, png

_BLUE, _ORANGE = "#0072B2", "#E69F00"
_SMALLEST, _LARGEST = 8, 110  # areas of points, in square points
_VISIBLE = 0.03  # a smaller gap is hidden by its point


def reliability_diagram(calibration: Calibration, title: str) -> bytes:
    """Accuracy against mean probability, one point a bin, the larger the more images; below, how many each bin holds.

    Args:
        calibration: Of one run, or pooled.
        title: Printed above, in as many lines as it needs.
    """
    figure = Figure(figsize=(5.8, 3.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = calibration.images > 0
    images = calibration.images[filled]
    accuracy, confidence = calibration.right[filled] / images, calibration.confidence[filled] / images
    upper.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--", label="calibrated")
    gap = "gap" if np.abs(accuracy - confidence).max() > _VISIBLE else None
    upper.vlines(confidence, accuracy, confidence, color=_ORANGE, linewidth=2.5, alpha=0.7, label=gap)
    upper.plot(confidence, accuracy, color=_BLUE, linewidth=1, alpha=0.5)
    sizes = _SMALLEST + (_LARGEST - _SMALLEST) * images / images.max()
    upper.scatter(confidence, accuracy, sizes, color=_BLUE, label="accuracy (area: images)", zorder=3)
    dress(upper, x="", y="accuracy")
    upper.set_ylim(-0.04, 1.04)
    upper.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    bars = lower.bar(EDGES[:-1], calibration.images, width=1 / BINS, align="edge", color=_BLUE, edgecolor="white")
    numbers = [_short(count) if count else "" for count in calibration.images]
    lower.bar_label(bars, numbers, fontsize=6.5, color=INK, padding=1)
    dress(lower, x="probability of the predicted class", y="images")
    lower.set_yticks([])
    lower.margins(y=0.3)
    lower.xaxis.set_major_formatter(PercentFormatter(xmax=1))
    lower.set_xlim(0, 1.02)
    return png(figure, f"{title}\nexpected calibration error {percent(calibration.error)}", legend=upper)


def _short(count: float) -> str:
    """A number that has room above a bar."""
    return f"{count:,.0f}" if count < 100_000 else f"{count / 1000:,.0f}k"
