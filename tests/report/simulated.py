"""Trainings whose truth is known: the odds that an image is called right are drawn by cell, by seed, and by both.

On the logit scale they are the class's own odds, plus what is hard about the cell, what the seed did to the training,
and what it did to that cell alone.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from bloodcell.report.cells import CellCounts

CELLS = (13, 6, 4, 45)  # as behind Kaggle's TEST
IMAGES = (48, 103, 155, 14)  # of each cell there
ODDS = np.array([2.0, 2.3, 1.5, 2.3])
_NAMES = np.array([f"{label}-{cell:02d}" for label, count in enumerate(CELLS) for cell in range(count)], dtype=object)
_LABELS = np.repeat(np.arange(4), CELLS)
_SIZES = np.repeat(IMAGES, CELLS)


def row_of_runs(
    rng: np.random.Generator,
    seeds: int,
    *,
    cell: float,
    seed: float,
    noise: float,
    better: float = 0.0,
    common: np.ndarray | None = None,
    tested: float = 1.0,
    effects: Sequence[float] | None = None,
) -> dict[int, CellCounts]:
    """A row's trainings, by seed.

    Args:
        rng: What draws.
        seeds: How many.
        cell: Standard deviation of what is hard about a cell.
        seed: Standard deviation of what a seed does.
        noise: Standard deviation of what a seed does to a cell.
        better: Added to the odds.
        common: What is hard about each cell for all rows; half as much again is the row's own.
        tested: Share of each class's cells that a seed chooses to test on.
        effects: What each seed does, where it is not to be drawn.
    """
    does = rng.normal(0, seed, seeds) if effects is None else effects
    hard = rng.normal(0, cell, len(_NAMES)) if common is None else common + rng.normal(0, cell / 2, len(_NAMES))
    odds = ODDS[_LABELS] + better + hard
    return {number: _run(rng, odds, does[number], noise, _chosen(number, tested)) for number in range(seeds)}


def rows_of_runs(
    rng: np.random.Generator, better: Sequence[float], seeds: int, *, cell: float, seed: float, noise: float
) -> list[dict[int, CellCounts]]:
    """Rows that find the same cells hard; `better` is how much the odds of each are above those of the first."""
    common = rng.normal(0, cell, len(_NAMES))
    return [row_of_runs(rng, seeds, cell=cell, seed=seed, noise=noise, better=more, common=common) for more in better]


def true_recalls(
    rng: np.random.Generator, *, cell: float, seed: float, noise: float, better: float = 0.0
) -> np.ndarray:
    """The recalls that `row_of_runs` would measure on ever more cells and seeds."""
    spread = np.sqrt(cell**2 + seed**2 + noise**2) * rng.normal(size=100_000)
    return np.array([expit(odds + better + spread).mean() for odds in ODDS])


def true_accuracy(rng: np.random.Generator, **drawn: float) -> float:
    """The accuracy that goes with `true_recalls`."""
    return float(np.average(true_recalls(rng, **drawn), weights=np.multiply(CELLS, IMAGES)))


def _chosen(number: int, share: float) -> np.ndarray:
    """Which cells a seed tests on: the same in all rows."""
    rng = np.random.default_rng(number)
    parts = [
        rng.choice(np.flatnonzero(label == _LABELS), max(1, round(share * n)), replace=False)
        for label, n in enumerate(CELLS)
    ]
    return np.sort(np.concatenate(parts))


def _run(rng: np.random.Generator, odds: np.ndarray, effect: float, noise: float, cells: np.ndarray) -> CellCounts:
    chances = expit(odds + effect + rng.normal(0, noise, len(odds)))
    right = rng.binomial(_SIZES, chances)[cells]
    sizes, labels = _SIZES[cells], _LABELS[cells]
    confusion = np.zeros((len(cells), 4, 4))
    confusion[range(len(cells)), labels, labels] = right
    confusion[range(len(cells)), labels, (labels + 1) % 4] = sizes - right
    return CellCounts(_NAMES[cells], confusion, labels)
