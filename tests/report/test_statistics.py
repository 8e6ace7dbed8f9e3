import numpy as np
import pytest
from scipy.stats import binom

from bloodcell.report.statistics import difference, shape


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, 2], "rises"),
        ([2, 1], "falls"),
        ([1, 2, 3], "rises at every step"),
        ([3, 2, 1], "falls at every step"),
        ([1, 2, 2], "rises, though not at every step"),
        ([2, 1, 1], "falls, though not at every step"),
        ([1, 3, 2], "rises, then falls"),
        ([1, 3, 3, 2], "rises, then falls"),
        ([3, 1, 2], "falls, then rises"),
        ([1, 3, 2, 4], "goes up and down"),
        ([1, 1, 1], "stays the same"),
    ],
)
def test_shape_names_the_course(values, words):
    assert shape(values) == words


def test_difference_is_second_minus_first(metrics):
    found = difference(metrics(0.9, sources=71), metrics(0.8, sources=71))
    assert found.change == pytest.approx(-0.1)
    assert found.low < -0.1 < found.high


def test_a_perfect_score_still_has_an_interval(metrics):
    found = difference(metrics(1.0, sources=6), metrics(1.0, sources=6))
    assert found.low < 0 < found.high
    assert not found.beyond_error


def test_no_interval_reaches_beyond_what_is_possible(metrics):
    best, worst = metrics(1.0, sources=4), metrics(0.0, sources=4)
    assert difference(worst, best).high == 1.0
    assert difference(best, worst).low == -1.0
    assert difference(worst, best).beyond_error


def test_what_counts_is_sources_not_images(metrics):
    few, many = [difference(metrics(0.9, sources=n), metrics(0.85, sources=n)) for n in (71, 2500)]
    assert not few.beyond_error
    assert many.beyond_error


@pytest.mark.parametrize(("p", "q"), [(0.95, 0.95), (0.95, 0.8), (0.99, 0.9), (0.5, 0.6)])
def test_intervals_hold_the_truth_in_95_of_100_samples(metrics, p, q):
    """Exact coverage at 40 cells each: every pair of outcomes, weighted by its probability."""
    cells = 40
    outcomes = [metrics(right / cells, sources=cells) for right in range(cells + 1)]
    weights = np.outer(binom.pmf(range(cells + 1), cells, p), binom.pmf(range(cells + 1), cells, q))
    found = [[difference(first, second) for second in outcomes] for first in outcomes]
    holds = np.array([[interval.low <= q - p <= interval.high for interval in row] for row in found])
    assert 0.94 <= (weights * holds).sum() <= 0.995
