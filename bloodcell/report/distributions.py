"""Student's t and the binomial distribution, as intervals and comparisons need them.

From scipy's functions and not from `scipy.stats`: that takes half a second to import, which each command would pay, and
its objects a hundred times as long for a number, which a grid of many rows asks for each pair of them.
"""

from typing import NamedTuple

from scipy import special


class Ends(NamedTuple):
    """The ends of an interval."""

    low: float
    high: float


def student_margin(level: float, freedom: float) -> float:
    """Half the width of an interval of so many standard errors; the normal distribution's where `freedom` is infinite.

    Args:
        level: Odds that the interval holds the truth.
        freedom: Degrees of freedom, above 0.
    """
    return float(special.stdtrit(freedom, (1 + level) / 2))


def student_odds(errors: float, freedom: float) -> float:
    """Odds of a difference at least so many standard errors to either side of 0, where there is none: two-sided p.

    Args:
        errors: The difference, in standard errors; its sign does not count.
        freedom: Degrees of freedom, above 0.
    """
    return 2 * float(special.stdtr(freedom, -abs(errors)))


def binomial_ends(level: float, successes: int, trials: int) -> Ends:
    """The exact interval of a fraction.

    Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26:404.

    Args:
        level: Odds that the interval holds the truth, at least.
        successes: From 0 to `trials`.
        trials: At least one.
    """
    tail, failures = (1 - level) / 2, trials - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return Ends(float(low), float(high))


def sign_odds(trials: int) -> float:
    """Odds that all of so many trials go one way where either is as likely: the two-sided sign test's p."""
    return float(2.0 ** (1 - trials))
