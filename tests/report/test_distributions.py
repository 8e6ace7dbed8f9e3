"""The same figures as scipy.stats has, which takes half a second to import."""

import numpy as np
import pytest
from scipy import stats

from bloodcell.report.distributions import binomial_ends, sign_odds, student_margin, student_odds


@pytest.mark.parametrize("freedom", [1, 2.5, 70, np.inf])
@pytest.mark.parametrize("errors", [0.0, 0.3, -5.0])
def test_student(freedom, errors):
    assert student_margin(0.95, freedom) == pytest.approx(stats.t.ppf(0.975, freedom))
    assert student_odds(errors, freedom) == pytest.approx(2 * stats.t.sf(abs(errors), freedom))


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 71), (71, 71), (33, 71), (2000, 2487)])
def test_binomial(successes, trials):
    assert binomial_ends(0.95, successes, trials) == pytest.approx(
        stats.binomtest(successes, trials).proportion_ci(0.95)
    )


@pytest.mark.parametrize("trials", [1, 2, 71])
def test_all_trials_one_way(trials):
    assert sign_odds(trials) == pytest.approx(stats.binomtest(trials, trials).pvalue)
