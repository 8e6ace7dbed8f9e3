"""Whether rows differ in test accuracy: every two of them, cell by cell and seed by seed, corrected for their number.

Two rows are compared on the same cells and seeds: what is hard for both, and what a seed does to both, drops
out of the difference. Its variance over cells and seeds is that of `bloodcell.report.resampling`, and its p-value
Student's. As many pairs are looked at, the p-values are corrected after Holm (1979), "A simple sequentially rejective
multiple test procedure", Scandinavian Journal of Statistics 6:65: of equal rows any two are told apart once in twenty
grids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bloodcell.report.distributions import binomial_ends, sign_odds, student_margin, student_odds
from bloodcell.report.intervals import LEVEL
from bloodcell.report.resampling import Resampled, resample
from bloodcell.report.rows import FinishedRow, ranked

_ACCURACY = slice(1)
"""Of the figures that are resampled, the first alone is compared."""


@dataclass(frozen=True)
class Comparison:
    """A row's test accuracy minus another's.

    Attributes:
        change: The difference, a fraction.
        low, high: Its 95% interval, of this comparison by itself.
        p: Odds of a difference as large between equal rows, corrected for the number of comparisons.
    """

    change: float
    low: float
    high: float
    p: float

    @property
    def tied(self) -> bool:
        """Whether the two cannot be told apart."""
        return self.p >= 1 - LEVEL


@dataclass(frozen=True)
class Comparisons:
    """The differences between rows, the second's accuracy minus the first's, by the names of the two.

    Attributes:
        pairs: One for each two rows of the same test cells and seeds; none where source cells are not known.
        seeds: How many each has; docs/adr/0013 says what may be believed of fewer than three.
    """

    pairs: Mapping[tuple[str, str], Comparison]
    seeds: int

    def between(self, first: FinishedRow, second: FinishedRow) -> Comparison | None:
        """The second row's accuracy minus the first's; None where the two cannot be compared."""
        if found := self.pairs.get((first.name, second.name)):
            return found
        if turned := self.pairs.get((second.name, first.name)):
            return replace(turned, change=-turned.change, low=-turned.high, high=-turned.low)
        return None

    def tied(self, first: FinishedRow, second: FinishedRow) -> bool:
        """Whether two rows that were compared cannot be told apart."""
        found = self.between(first, second)
        return found is not None and found.tied


def compare(rows: Sequence[FinishedRow]) -> Comparisons:
    """Compare every two rows that were tested on the same images and whose source cells are known."""
    by_test: dict[tuple[object, ...], list[FinishedRow]] = {}
    for row in ranked(rows):
        if "test" in row.cells:
            by_test.setdefault(row.test_images, []).append(row)
    found = [pair for alike in by_test.values() for pair in _pairs(alike)]
    values = corrected([pair.p for _, pair in found])
    pairs = {names: replace(pair, p=p) for (names, pair), p in zip(found, values, strict=True)}
    return Comparisons(pairs, max((len(row.results) for row in rows), default=0))


def _pairs(rows: Sequence[FinishedRow]) -> list[tuple[tuple[str, str], Comparison]]:
    """The names of every two rows and what differs between them, not yet corrected."""
    cells = rows[0].test.sources
    resampled = resample([row.cells["test"].runs for row in rows], _ACCURACY)
    return [
        ((first.name, second.name), _comparison(other - one, cells))
        for (first, one), (second, other) in combinations(zip(rows, resampled, strict=True), 2)
    ]


def _comparison(difference: Resampled, cells: int) -> Comparison:
    change = float(difference.values.mean())
    variance, freedom = difference.variance(0)
    if not variance:
        return _without_variance(change, cells)
    error = np.sqrt(variance)
    margin = float(student_margin(LEVEL, freedom) * error)
    p = student_odds(change / error, freedom)
    return Comparison(change, max(change - margin, -1.0), min(change + margin, 1.0), p)


def _without_variance(change: float, cells: int) -> Comparison:
    """All cells agree: the interval is the exact binomial one of so many cells, the test the sign test."""
    exact = binomial_ends(LEVEL, cells if change else 0, cells)
    if not change:
        return Comparison(0.0, -exact.high, exact.high, 1.0)
    low, high = sorted((change * exact.low, change))
    return Comparison(change, low, high, sign_odds(cells))


def corrected(values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, after Holm: the smallest times all, the next times the rest, never falling.

    statsmodels has it too, at a second of import and, each time, a collection of all garbage.
    """
    order = np.argsort(values)
    raised = np.maximum.accumulate(np.sort(values) * np.arange(len(values), 0, -1)).clip(max=1.0)
    found = np.empty(len(values))
    found[order] = raised
    return [float(p) for p in found]
