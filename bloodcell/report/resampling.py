"""The variance of a row's figures over source cells and over seeds: images of one cell are no independent evidence.

Cells: the classes are strata, as the test holds a given number of cells of each. Cells are resampled within a stratum,
whole, one fewer than there are, and weighted up (Rao and Wu 1988, "Resampling inference with complex survey data", JASA
83:231), which makes the variance right also of a class of four cells. Each stratum is resampled by itself, and the sum
of the variances is the figure's. All runs are resampled alike, so that what a cell does to each of them stays together.
Where the seed chooses the test, each run is resampled within its own cells, as a class may have few in each. Their mean
then varies as one run does, times the share of its cells that another run has, plus the rest divided by the runs.

Seeds: the variance of the figure from run to run, less the share of it that comes from single cells that go one way in
one run and the other in the next, which the resampled cells have already. It is the variance component of a two-way
layout, cells by seeds, estimated from the mean squares (Searle, Casella and McCulloch 1992, "Variance components",
section 4.4); none where it would be negative. With one run there is no such variance to see: cells alone count.

The degrees of freedom of the sum are Welch's and Satterthwaite's, and no fewer than those of the part that has fewest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bloodcell.report.cells import CellCounts, Floats, Numbers

_RESAMPLES = 2000
_ROUNDING = 1e-20
_AT_ONCE = 2**22
"""Numbers drawn at once: a large test would fill the memory otherwise."""


class Variance(NamedTuple):
    """A variance, and the degrees of freedom that it is known with."""

    value: float
    freedom: float


@dataclass(frozen=True)
class Resampled:
    """Figures of runs, and what they would have been on other cells: accuracy, balanced accuracy, macro F1, recalls.

    Attributes:
        values: Shape (runs, figures).
        replicates: Shape (strata, runs, resamples, figures): with the cells of that stratum resampled.
        freedom: Shape (strata,): cells of the stratum less one, the mean over the runs; NaN of a stratum without cells.
        shared: Share of its cells that a run has in common with another; None where all have the same.
    """

    values: Floats
    replicates: Floats
    freedom: Floats
    shared: float | None

    def __sub__(self, other: "Resampled") -> "Resampled":
        """The differences, run by run and cell by cell; both must come from one call of `resample`."""
        return replace(self, values=self.values - other.values, replicates=self.replicates - other.replicates)

    def variance(self, figure: int) -> Variance:
        """Of a figure's mean over the runs, over cells and seeds."""
        return _over_cells_and_seeds(self.values[:, figure], [self._over_cells(figure)])

    def variance_beside(self, other: "Resampled", figure: int) -> Variance:
        """Of the mean difference to the same runs' figure on other cells, none of which are these.

        What a seed does to both falls out of the difference, run by run.
        """
        differences = self.values[:, figure] - other.values[:, figure]
        return _over_cells_and_seeds(differences, [self._over_cells(figure), other._over_cells(figure)])

    def _over_cells(self, figure: int) -> "_OverCells":
        drawn = self.replicates[..., figure]
        runs, of_one = len(self.values), drawn.var(axis=-1).mean(axis=1)
        if self.shared is None:
            of_mean = drawn.mean(axis=1).var(axis=-1)
        else:
            of_mean = of_one * (self.shared + (1 - self.shared) / runs)
        return _OverCells(of_mean, of_one, self.freedom)


class _OverCells(NamedTuple):
    """Variances over cells by stratum, of the mean over the runs and of one run, and their degrees of freedom."""

    of_mean: Floats
    of_one: Floats
    freedom: Floats


def _over_cells_and_seeds(values: Floats, parts: Sequence[_OverCells]) -> Variance:
    of_mean, of_one, freedom = (np.concatenate(column) for column in zip(*parts, strict=True))
    runs, total, squares = len(values), of_mean.sum(), np.nansum(of_mean**2 / freedom)
    least = float(np.nanmin(freedom))
    if runs > 1:
        between = values.var(ddof=1) / runs
        of_single_cells = (of_one.sum() - total) / (runs - 1)
        total += max(between - of_single_cells, 0.0)
        squares += between**2 / (runs - 1)
        least = min(least, runs - 1)
    # Where all agree, rounding may leave a trace; and subtracting may leave a sum that is small beside its parts.
    return Variance(0.0, np.inf) if total < _ROUNDING else Variance(float(total), float(max(total**2 / squares, least)))


def resample(rows: Sequence[Mapping[int, CellCounts]], figures: slice = slice(None)) -> list[Resampled]:
    """Resample the cells of rows' runs, alike in all that have them.

    Args:
        rows: Each with its runs by seed, the seeds the same in all rows, and so the cells of each.
        figures: Which are wanted; of many rows all would fill the memory.
    """
    seeds = tuple(rows[0])
    shared = _shared([rows[0][seed].sources for seed in seeds])
    together = [seeds] if shared is None else [(seed,) for seed in seeds]
    parts = [_resampled([[row[seed] for seed in group] for row in rows], figures) for group in together]
    sizes = np.array([part.sizes for part in parts])
    having = (sizes > 0).sum(axis=0)
    freedom = np.where(having, np.maximum(sizes.sum(axis=0) / np.maximum(having, 1) - 1, 1), np.nan)
    values = np.concatenate([part.values for part in parts], axis=1)
    replicates = np.concatenate([part.replicates for part in parts], axis=2)
    return [Resampled(own, replicates[:, row], freedom, shared) for row, own in enumerate(values)]


def _shared(cells: Sequence[npt.NDArray[np.object_]]) -> float | None:
    """The mean share of its cells that a run has in common with another; None where all have the same."""
    if all(np.array_equal(cells[0], other) for other in cells[1:]):
        return None
    numbers = np.unique(np.concatenate(cells), return_inverse=True)[1]
    has = np.zeros((len(cells), numbers.max() + 1))
    has[np.repeat(np.arange(len(cells)), [len(own) for own in cells]), numbers] = 1
    common = has @ has.T / has.sum(axis=1, keepdims=True)
    return float(common[~np.eye(len(cells), dtype=bool)].mean())


class _Part(NamedTuple):
    """Shapes (rows, runs, figures), (strata, rows, runs, resamples, figures) and (strata,)."""

    values: Floats
    replicates: Floats
    sizes: Numbers


def _resampled(rows: Sequence[Sequence[CellCounts]], figures: slice) -> _Part:
    """Rows of as many runs each, all on the same cells."""
    confusion, strata = _aligned([run for row in rows for run in row])
    values = _figures(confusion.sum(axis=1))[..., figures]
    classes = range(confusion.shape[-1])
    replicates = np.stack([_of_stratum(confusion, strata == label, figures) for label in classes])
    sizes = np.bincount(strata, minlength=len(classes))
    shape = (len(rows), len(rows[0]))
    return _Part(values.reshape(*shape, -1), replicates.reshape(len(classes), *shape, *replicates.shape[2:]), sizes)


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
    for start in range(0, _RESAMPLES, step := max(1, _AT_ONCE // max(count, 1))):
        size = min(step, _RESAMPLES - start)
        if count > 1:
            weights = random.multinomial(count - 1, np.full(count, 1 / count), size) * count / (count - 1)
        else:
            weights = np.ones((size, count))  # none, or the only cell there is
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
