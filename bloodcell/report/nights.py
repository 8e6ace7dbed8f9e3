"""Whether a night's trainings of a row differ from the earlier ones by more than seeds make trainings differ.

Accuracies stand on the scale asin(sqrt(p)), on which those near 0 and 1 vary as much as those between (Anscombe 1948,
"The transformation of Poisson, binomial and negative-binomial data", Biometrika 35:246). How much trainings of one row
differ is told by the earlier ones alone, as in a control chart: a row that breaks erratically would else be excused by
its own scatter. It is pooled over the rows, as a row alone has few; a row that varied more than the pool is judged by
its own variance, and none by less than so many images would give by chance. The test is Student's with the pool's
degrees of freedom, two-sided, of the night's mean against the mean of the earlier trainings, and corrected for the
number of rows after Holm (1979). docs/adr/0013 has how often it alarms and what it finds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bloodcell.artifacts import ExperimentResult, ExperimentSpec, GridRun, NightVerdict
from bloodcell.report.comparisons import corrected
from bloodcell.report.distributions import student_margin, student_odds
from bloodcell.report.intervals import LEVEL

Trainings = Mapping[str, Sequence[ExperimentResult]]
"""By row."""

_FEWEST = 2
"""Degrees of freedom with which a variance says anything: two earlier trainings of two rows, or three of one."""


@dataclass(frozen=True)
class Expected:
    """Where a training of a row was to be expected: fractions; `low` and `high` hold 19 of 20."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class _Noise:
    """How much trainings of one row differ: variances by row, on the scale of the test, and degrees of freedom."""

    variances: Mapping[str, float]
    freedom: int


def trained_in(run: GridRun, results: Mapping[str, ExperimentResult]) -> dict[str, list[ExperimentResult]]:
    """The trainings of this run itself, by row."""
    trained: dict[str, list[ExperimentResult]] = {row.name: [] for row in run.rows}
    for row in run.rows:
        if row.status == "trained":
            trained[row.name].append(results[row.key])
    return trained


def judge(tonight: Trainings, earlier: Trainings) -> tuple[NightVerdict, ...]:
    """A verdict on every row that was trained tonight.

    Args:
        tonight: The night's trainings.
        earlier: Those it is compared with.
    """
    rows = [row for row, results in tonight.items() if results]
    judged = [row for row in rows if earlier.get(row)]
    noise = _noise({row: earlier[row] for row in judged})
    if noise is None:
        wanted = 1 + math.ceil(_FEWEST / max(1, len(rows)))
        return tuple(_verdict(row, tonight[row], earlier.get(row, ()), None, wanted) for row in rows)
    odds = dict(zip(judged, corrected([_p(tonight[row], earlier[row], row, noise) for row in judged]), strict=True))
    return tuple(_verdict(row, tonight[row], earlier.get(row, ()), p=odds.get(row)) for row in rows)


def expected(tonight: Trainings, earlier: Trainings) -> dict[str, Expected]:
    """Where a training of tonight was to be expected, of the rows of which that can be said."""
    judged = [row for row in tonight if earlier.get(row)]
    noise = _noise({row: earlier[row] for row in judged})
    if noise is None:
        return {}
    found = {}
    for row in judged:
        before = _scaled(earlier[row])
        margin = student_margin(LEVEL, noise.freedom) * np.sqrt(noise.variances[row] * (1 + 1 / len(before)))
        ends = np.clip(before.mean() + np.array([0, -margin, margin]), 0, np.pi / 2)
        found[row] = Expected(*map(float, np.sin(ends) ** 2))
    return found


def _noise(earlier: Trainings) -> _Noise | None:
    """From how the earlier trainings of each row differ; None where too few do."""
    scaled = {row: _scaled(results) for row, results in earlier.items()}
    squares = {row: float(((group - group.mean()) ** 2).sum()) for row, group in scaled.items()}
    if (freedom := sum(len(group) - 1 for group in scaled.values())) < _FEWEST:
        return None
    pooled = sum(squares.values()) / freedom
    own = {row: squares[row] / max(1, len(group) - 1) for row, group in scaled.items()}
    by_chance = {row: 1 / (4 * results[0].metrics["test"].images) for row, results in earlier.items()}
    return _Noise({row: max(own[row], pooled, by_chance[row]) for row in earlier}, freedom)


def _p(tonight: Sequence[ExperimentResult], earlier: Sequence[ExperimentResult], row: str, noise: _Noise) -> float:
    now, before = _scaled(tonight), _scaled(earlier)
    error = np.sqrt(noise.variances[row] * (1 / len(now) + 1 / len(before)))
    return student_odds((now.mean() - before.mean()) / error, noise.freedom)


def _verdict(
    row: str, tonight: Sequence[ExperimentResult], earlier: Sequence[ExperimentResult], p: float | None, wanted: int = 1
) -> NightVerdict:
    change = float(np.mean(_accuracies(tonight)) - np.mean(_accuracies(earlier))) if earlier else 0.0
    noise = p is None or p >= 1 - LEVEL
    return NightVerdict(
        row=row,
        verdict="too early" if p is None else "within noise" if noise else "better" if change > 0 else "worse",
        change=change,
        p=1.0 if p is None else p,
        tonight=len(tonight),
        earlier=len(earlier),
        changed=_changed(tonight[0].spec, earlier[-1].spec) if earlier else (),
        wanted=wanted if p is None and len(earlier) < wanted else 0,
    )


def _changed(now: ExperimentSpec, before: ExperimentSpec) -> tuple[str, ...]:
    settings = [field for field, value in now.config if field != "seed" and value != getattr(before.config, field)]
    return (*settings, *(["code"] if now.code_version != before.code_version else []))


def _accuracies(results: Sequence[ExperimentResult]) -> list[float]:
    return [result.metrics["test"].accuracy for result in results]


def _scaled(results: Sequence[ExperimentResult]) -> npt.NDArray[np.float64]:
    scaled: npt.NDArray[np.float64] = np.arcsin(np.sqrt(_accuracies(results)))
    return scaled
