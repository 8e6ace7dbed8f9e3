"""The variance of a row's figures over source cells and over seeds: images of one cell are no independent evidence.

Cells: the classes are strata, as the test holds a given number of cells of each. Cells are resampled within a stratum,
whole, one fewer than there are, and weighted up (Rao and Wu 1988, "Resampling inference with complex survey data", JASA
83:231), which makes the variance right also of a class of four cells. Each stratum is resampled by itself, and the sum
of the variances is the figure's. All runs are resampled alike, so that what a cell does to each of them stays together.

Seeds: the variance of the figure from run to run, less the share of it that comes from single cells that go one way in
one run and the other in the next, which the resampled cells have already. It is the variance component of a two-way
layout, cells by seeds, estimated from the mean squares (Searle, Casella and McCulloch 1992, "Variance components",
section 4.4); none where it would be negative. With one run there is no such variance to see: cells alone count.

The degrees of freedom of the sum are Welch's and Satterthwaite's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bloodcell.report.cells import CellCounts, Floats, Numbers

_RESAMPLES = 2000
_ROUNDING = 1e-20
_AT_ONCE = 2**22
"""Numbers drawn at once: a large test would fill the memory otherwise."""


@dataclass(frozen=True)
class Resampled:
    """Figures of runs, and what they would have been on other cells: accuracy, balanced accuracy, macro F1, recalls.

    Attributes:
        values: Shape (runs, figures).
        replicates: Shape (strata, runs, resamples, figures): with the cells of that stratum resampled.
        freedom: Shape (strata,): cells of the stratum less one.
    """

    values: Floats
    replicates: Floats
    freedom: Numbers

    def __sub__(self, other: "Resampled") -> "Resampled":
        """The differences, run by run and cell by cell; both must come from one call of `resample`."""
        return Resampled(self.values - other.values, self.replicates - other.replicates, self.freedom)

    def variance(self, figure: int) -> tuple[float, float]:
        """Of a figure's mean over the runs: the variance over cells and seeds, and its degrees of freedom."""
        drawn = self.replicates[..., figure]
        by_stratum = drawn.mean(axis=1).var(axis=-1)
        total, squares = by_stratum.sum(), (by_stratum**2 / self.freedom).sum()
        if (runs := len(self.values)) > 1:
            between = self.values[:, figure].var(ddof=1) / runs
            of_single_cells = (drawn.var(axis=-1).mean(axis=1).sum() - total) / (runs - 1)
            total += max(between - of_single_cells, 0.0)
            squares += between**2 / (runs - 1)
        # Where all agree, rounding may leave a trace.
        return (0.0, np.inf) if total < _ROUNDING else (float(total), float(total**2 / squares))


def resample(rows: Sequence[Mapping[int, CellCounts]], figures: slice = slice(None)) -> list[Resampled]:
    """Resample the cells of rows' runs, of all rows and runs alike.

    Args:
        rows: Each with its runs by seed.
        figures: Which are wanted; of many rows all would fill the memory.
    """
    confusion, strata = _aligned([run for row in rows for run in row.values()])
    values = _figures(confusion.sum(axis=1))[..., figures]
    replicates = np.stack([_of_stratum(confusion, strata == stratum, figures) for stratum in np.unique(strata)])
    sizes = np.bincount(strata)
    freedom = np.maximum(sizes[sizes > 0] - 1, 1)
    ends = np.cumsum([len(row) for row in rows])[:-1]
    parts = zip(np.split(values, ends), np.split(replicates, ends, axis=1), strict=True)
    return [Resampled(own, replicated, freedom) for own, replicated in parts]


def _aligned(runs: Sequence[CellCounts]) -> tuple[Floats, Numbers]:
    """The runs' counts over all cells that any of them has, shape (runs, cells, classes, classes), and the strata."""
    names = np.concatenate([run.sources for run in runs])
    sources, first = np.unique(names, return_index=True)
    strata = np.concatenate([run.strata for run in runs])[first]
    confusion = np.zeros((len(runs), len(sources), *runs[0].confusion.shape[1:]))
    for aligned, run in zip(confusion, runs, strict=True):
        aligned[np.searchsorted(sources, run.sources)] = run.confusion
    return confusion, _collapsed(strata)


def _of_stratum(confusion: Floats, members: npt.NDArray[np.bool_], figures: slice) -> Floats:
    """Every run's figures with the cells of a stratum resampled: shape (runs, resamples, figures)."""
    classes = confusion.shape[-1]
    own = confusion[:, members].reshape(len(confusion), -1, classes**2)
    others = confusion[:, ~members].sum(axis=1).reshape(len(confusion), -1)
    count = own.shape[1]
    random = np.random.default_rng(0)
    drawn = []
    for start in range(0, _RESAMPLES, step := max(1, _AT_ONCE // count)):
        size = min(step, _RESAMPLES - start)
        if count > 1:
            weights = random.multinomial(count - 1, np.full(count, 1 / count), size) * count / (count - 1)
        else:
            weights = np.ones((size, 1))  # it is the only cell there is
        counts = ((weights @ run + rest).reshape(-1, classes, classes) for run, rest in zip(own, others, strict=True))
        drawn.append(np.stack([_figures(resampled)[..., figures] for resampled in counts]))
    return np.concatenate(drawn, axis=1)


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
