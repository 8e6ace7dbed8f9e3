"""95% intervals of a row's figures, by resampling source cells: images of one cell are no independent evidence.

The classes are strata, as the test holds a given number of cells of each. Cells are resampled within a stratum, whole,
one fewer than there are, and weighted up (Rao and Wu 1988, "Resampling inference with complex survey data", JASA
83:231), which makes the variance right also of a class of four cells. Each stratum is resampled by itself: the sum of
the variances is the figure's, and their degrees of freedom are Welch's and Satterthwaite's. The interval is Student's
on the logit scale, so that it ends within 0 and 1. Where all cells agree there is no variance to resample, and the
exact binomial interval of so many cells (Clopper and Pearson 1934) takes its place. docs/adr/0012 has the coverage
that was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bloodcell.data.sources import majority_label

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.integer]

_RESAMPLES = 2000
_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A fraction with its 95% interval.

    Attributes:
        value: The fraction itself.
        low, high: The ends.
        cells: Source cells behind it.
    """

    value: float
    low: float
    high: float
    cells: int


@dataclass(frozen=True)
class CellCounts:
    """What became of every source cell of a split.

    Attributes:
        confusion: Shape (cells, classes, classes): images of a cell of class i called class j.
        strata: Number of each cell's stratum.
    """

    confusion: Floats
    strata: Numbers

    @classmethod
    def of(cls, images: pd.DataFrame, labels: Sequence[str]) -> "CellCounts":
        """Count the images of one split.

        Args:
            images: With the columns source, label and predicted.
            labels: Classes, in order.
        """
        number = {label: index for index, label in enumerate(labels)}
        cells, names = pd.factorize(images["source"])
        confusion = np.zeros((len(names), len(labels), len(labels)))
        np.add.at(confusion, (cells, images["label"].map(number), images["predicted"].map(number)), 1)
        strata = majority_label(images).groupby(cells).first().map(number).to_numpy(np.intp)
        return cls(confusion, _collapsed(strata))

    @cached_property
    def accuracy(self) -> Interval:
        """Fraction of the images whose class is called right."""
        return self._interval(0, len(self.confusion))

    @cached_property
    def balanced_accuracy(self) -> Interval:
        """Mean of the recalls of the classes that have images."""
        return self._interval(1, len(self.confusion))

    @cached_property
    def macro_f1(self) -> Interval:
        """Mean of the F1 values of the classes that have images."""
        return self._interval(2, len(self.confusion))

    def recall(self, label: int) -> Interval:
        """Fraction of a class's images that are called so; the class must have some."""
        return self._interval(3 + label, int((self.confusion[:, label].sum(axis=1) > 0).sum()))

    def _interval(self, figure: int, cells: int) -> Interval:
        value = float(_figures(self.confusion.sum(axis=0))[figure])
        parts = self._variances[:, figure]
        variance = float(parts.sum())
        if variance == 0.0 or value in (0.0, 1.0):
            exact = stats.binomtest(round(value * cells), cells).proportion_ci(_LEVEL)
            return Interval(value, min(exact.low, value), max(exact.high, value), cells)
        sizes = np.bincount(self.strata)
        freedom = variance**2 / float((parts**2 / np.maximum(sizes[sizes > 0] - 1, 1)).sum())
        margin = stats.t.ppf((1 + _LEVEL) / 2, freedom) * np.sqrt(variance) / (value * (1 - value))
        logit = np.log(value / (1 - value))
        low, high = 1 / (1 + np.exp(-(logit + np.array([-margin, margin]))))
        return Interval(value, float(low), float(high), cells)

    @cached_property
    def _variances(self) -> Floats:
        """Variance of every figure that each stratum contributes: shape (strata, figures)."""
        random = np.random.default_rng(0)
        classes = self.confusion.shape[1]
        total = self.confusion.sum(axis=0)
        contributions = []
        for stratum in np.unique(self.strata):
            cells = self.confusion[self.strata == stratum].reshape(-1, classes**2)
            count = len(cells)
            if count == 1:  # the only cell there is
                contributions.append(np.zeros(3 + classes))
                continue
            drawn = random.multinomial(count - 1, np.full(count, 1 / count), _RESAMPLES) * count / (count - 1)
            others = total.ravel() - cells.sum(axis=0)
            figures = _figures((drawn @ cells + others).reshape(-1, classes, classes))
            contributions.append(figures.var(axis=0))
        return np.array(contributions)


def cell_counts(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, CellCounts]:
    """The counts of the splits that evaluate, by split, of an experiment's predictions.

    Args:
        predictions: As in predictions.parquet.
        labels: Classes, in order.
    """
    splits = predictions.groupby("split")
    return {
        split: CellCounts.of(splits.get_group(split), labels) for split in ("test", "seen") if split in splits.groups
    }


def _figures(confusion: Floats) -> Floats:
    """Accuracy, balanced accuracy, macro F1 and the recalls: shape (..., 3 + classes) of (..., classes, classes)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, called = confusion.sum(axis=-1), confusion.sum(axis=-2)
    present = true > 0
    recall = right / np.where(present, true, 1)
    f1 = 2 * right / np.where(present, true + called, 1)
    several = np.stack(
        [
            right.sum(axis=-1) / true.sum(axis=-1),
            recall.sum(axis=-1) / present.sum(axis=-1),
            (f1 * present).sum(axis=-1) / present.sum(axis=-1),
        ],
        axis=-1,
    )
    return np.concatenate([several, recall], axis=-1)


def _collapsed(strata: Numbers) -> Numbers:
    """Strata of one cell joined with the smallest of the others: alone it would have no variance."""
    sizes = np.bincount(strata)
    lone = np.flatnonzero(sizes == 1)
    others = [stratum for stratum in np.argsort(sizes, kind="stable") if sizes[stratum] > 1]
    target = others[0] if others else strata[0]
    return np.where(np.isin(strata, lone), target, strata)
