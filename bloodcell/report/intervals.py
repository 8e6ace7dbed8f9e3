"""95% intervals of a row's figures, over source cells and, where it was trained more than once, over seeds.

The interval is Student's, with the variance of `bloodcell.report.resampling`, on the logit scale, so that it ends
within 0 and 1. Where all cells and runs agree there is no variance, and the exact binomial interval of so many cells
(Clopper and Pearson 1934) takes its place. docs/adr/0012 and 0013 have the coverage that was measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from bloodcell.report.cells import CellCounts
from bloodcell.report.distributions import binomial_ends, student_margin
from bloodcell.report.resampling import resample

LEVEL = 0.95

_ACCURACY = slice(1)
"""The first of the figures that are resampled."""


@dataclass(frozen=True)
class Interval:
    """A fraction with its 95% interval.

    Attributes:
        value: The fraction itself, the mean over the runs.
        low, high: The ends.
        cells: Source cells behind it.
    """

    value: float
    low: float
    high: float
    cells: int


@dataclass(frozen=True)
class RowCells:
    """What the runs of a row made of the source cells of a split.

    Attributes:
        runs: By seed. Where the seed chooses the images, they differ in their cells.
    """

    runs: Mapping[int, CellCounts]

    @cached_property
    def accuracy(self) -> Interval:
        """Fraction of the images whose class is called right."""
        return self._interval(0, self._cells)

    @cached_property
    def balanced_accuracy(self) -> Interval:
        """Mean of the recalls of the classes that have images."""
        return self._interval(1, self._cells)

    @cached_property
    def macro_f1(self) -> Interval:
        """Mean of the F1 values of the classes that have images."""
        return self._interval(2, self._cells)

    def recall(self, label: int) -> Interval:
        """Fraction of a class's images that are called so; the class must have some."""
        having = [run.sources[run.confusion[:, label].sum(axis=1) > 0] for run in self.runs.values()]
        return self._interval(3 + label, len(set().union(*having)))

    def gain(self, other: "RowCells") -> tuple[float, float, float]:
        """The accuracy here less that of the same runs on other cells: the difference, and its 95% interval's ends.

        Of several runs it is taken seed by seed, as what a seed does is common to both. Of a single one it is put
        together from the two intervals: "MOVER", Zou and Donner (2008), "Construction of confidence limits about effect
        measures", Statistics in Medicine 27:1693.
        """
        own, others = self.accuracy, other.accuracy
        change = own.value - others.value
        if len(self.runs) == 1:
            below = math.hypot(own.value - own.low, others.high - others.value)
            above = math.hypot(own.high - own.value, others.value - others.low)
        else:
            ((first,), (second,)) = resample([self.runs], _ACCURACY), resample([other.runs], _ACCURACY)
            variance, freedom = first.variance_beside(second, 0)
            below = above = student_margin(LEVEL, freedom) * float(np.sqrt(variance))
        return change, max(change - below, -1.0), min(change + above, 1.0)

    @cached_property
    def _cells(self) -> int:
        return len(set().union(*(run.sources for run in self.runs.values())))

    @cached_property
    def _estimates(self) -> tuple[tuple[float, float, float], ...]:
        """Value, variance and degrees of freedom of every figure; the resampled ones take megabytes and are let go."""
        (resampled,) = resample([self.runs])
        values = resampled.values.mean(axis=0)
        return tuple((float(value), *resampled.variance(figure)) for figure, value in enumerate(values))

    def _interval(self, figure: int, cells: int) -> Interval:
        value, variance, freedom = self._estimates[figure]
        if variance == 0.0 or value in (0.0, 1.0):
            exact = binomial_ends(LEVEL, round(value * cells), cells)
            return Interval(value, min(exact.low, value), max(exact.high, value), cells)
        margin = student_margin(LEVEL, freedom) * np.sqrt(variance) / (value * (1 - value))
        return Interval(value, float(expit(logit(value) - margin)), float(expit(logit(value) + margin)), cells)
