"""What may be said of a few figures: whether two differ by more than sampling error, and the shape of a series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bloodcell.artifacts import SplitMetrics

_Z95 = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Difference:
    """An accuracy minus another, with its 95 % interval; fractions."""

    change: float
    low: float
    high: float

    @property
    def beyond_error(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def difference(first: SplitMetrics, second: SplitMetrics) -> Difference:
    """The second accuracy minus the first, as if each were a proportion of independent source cells.

    The interval is that of Agresti and Caffo (2000), "Simple and effective confidence intervals for
    proportions and differences of proportions", The American Statistician 54:280: one success and one
    failure are added to each sample, which keeps the 95 % near 0 and 1 and in small samples, where the
    textbook margin has no width. Images of one cell count as one observation between them. Two
    assumptions do not hold: cells count alike here though some have more images, which makes the interval too
    narrow, and both accuracies come from the same cells, which makes it too wide.
    It ends at 100 percentage points to either side, beyond which no difference lies.
    """
    (p, n), (q, m) = _adjusted(first), _adjusted(second)
    margin = _Z95 * math.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    return Difference(second.accuracy - first.accuracy, max(q - p - margin, -1.0), min(q - p + margin, 1.0))


def _adjusted(metrics: SplitMetrics) -> tuple[float, int]:
    total = metrics.sources + 2
    return (metrics.accuracy * metrics.sources + 1) / total, total


def shape(values: Sequence[float]) -> str:
    """The course of at least two values, as a verb phrase: `rises at every step`."""
    steps = [(after > before) - (after < before) for before, after in pairwise(values)]
    moves = [step for step in steps if step]
    turns = [move for index, move in enumerate(moves) if index == 0 or move != moves[index - 1]]
    everywhere = (
        "" if len(steps) == 1 else " at every step" if len(moves) == len(steps) else ", though not at every step"
    )
    match turns:
        case []:
            return "stays the same"
        case [1]:
            return f"rises{everywhere}"
        case [-1]:
            return f"falls{everywhere}"
        case [1, -1]:
            return "rises, then falls"
        case [-1, 1]:
            return "falls, then rises"
        case _:
            return "goes up and down"
