"""Comparisons of rows whose truth is known: equal ones are tied nineteen times in twenty, broken ones are not."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from bloodcell.config import GridConfig
from bloodcell.report.cells import CellCounts
from bloodcell.report.comparisons import Comparisons, compare, corrected
from bloodcell.report.intervals import RowCells
from bloodcell.report.rows import best, finished
from tests.report.simulated import rows_of_runs

CELLS = {"train": 250, "validation": 55, "test": 71, "seen": 200}


@pytest.fixture
def three(make, figures):
    """Three finished rows of three trainings each, whose cells are still to be filled in."""
    return three_rows(make, figures, seeds=3)


@pytest.fixture
def five(make, figures):
    """The same of five trainings each."""
    return three_rows(make, figures, seeds=5)


def three_rows(make, figures, seeds):
    grid = GridConfig(name="g", seeds=seeds, experiments={name: {"hidden_layers": n} for n, name in enumerate("abc")})
    return finished(make(grid, dict.fromkeys("abc", figures(0.9)), sources=CELLS).rows)


def compared(rows, rng, better, seeds=3, **spreads) -> Comparisons:
    cells = rows_of_runs(rng, better, seeds, **spreads)
    return compare([replace(row, cells={"test": RowCells(runs)}) for row, runs in zip(rows, cells, strict=True)])


@pytest.mark.parametrize(("cell", "seed", "noise"), [(2.0, 0.3, 1.0), (2.0, 1.0, 1.0)])
def test_of_equal_rows_any_two_are_told_apart_once_in_twenty_grids(five, cell, seed, noise):
    rng, alarms, trials = np.random.default_rng(1), 0, 120
    for _ in range(trials):
        found = compared(five, rng, (0, 0, 0), seeds=5, cell=cell, seed=seed, noise=noise)
        alarms += not all(pair.tied for pair in found.pairs.values())
    assert alarms / trials <= 0.09, alarms / trials


def test_one_comparison_by_itself_errs_once_in_twenty(three):
    rng, outside, trials = np.random.default_rng(2), 0, 150
    for _ in range(trials):
        pair = compared(three[:2], rng, (0, 0), cell=2.0, seed=0.5, noise=0.5).pairs["a", "b"]
        outside += not pair.low <= 0 <= pair.high
    assert 0.01 <= outside / trials <= 0.09, outside / trials


def test_a_row_that_is_worse_is_found(three):
    rng, found, trials = np.random.default_rng(3), 0, 50
    for _ in range(trials):
        pairs = compared(three, rng, (0, 0, -4), cell=2.0, seed=0.3, noise=1.0).pairs
        found += not pairs["a", "c"].tied
        assert pairs["a", "c"].high < 0
    assert found / trials >= 0.95


def test_pairing_by_cell_finds_what_two_intervals_would_hide(three):
    rng = np.random.default_rng(4)
    cells = rows_of_runs(rng, (0, -0.7), 3, cell=3.0, seed=0.05, noise=0.1)
    rows = [replace(row, cells={"test": RowCells(runs)}) for row, runs in zip(three[:2], cells, strict=True)]
    first, second = (row.cells["test"].accuracy for row in rows)
    pair = compare(rows).pairs["a", "b"]
    assert pair.high - pair.low < 0.8 * ((first.high - first.low) ** 2 + (second.high - second.low) ** 2) ** 0.5


def test_a_comparison_may_be_turned_round(three):
    found = compared(three, np.random.default_rng(5), (0, 1, 2), cell=2.0, seed=0.3, noise=1.0)
    there, back = found.between(three[0], three[2]), found.between(three[2], three[0])
    assert (back.change, back.low, back.high, back.p) == (-there.change, -there.high, -there.low, there.p)
    assert there.low < there.change < there.high


def test_a_row_that_lost_a_training_is_not_ranked_with_those_that_have_all(make, figures):
    grid = GridConfig(name="g", seeds=2, experiments={"a": {}, "b": {"hidden_layers": 2}, "c": {"hidden_layers": 3}})
    outcomes = {"a": [figures(0.9), figures(0.9)], "b": ["out of memory", figures(0.95)], "c": figures(0.2)}
    example = make(grid, outcomes, sources=CELLS)
    found = compare(finished(example.rows))
    assert set(found.pairs) == {("a", "c")}
    assert [row.name for row in best(finished(example.rows))] == ["a"]
    assert "The other ranked row is worse in these trainings." in example.opening
    assert "It falls, by more than chance." in example.markdown


def test_rows_that_agree_on_every_cell_are_tied_within_what_so_many_cells_can_show(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"hidden_layers": 2}})
    pair = compare(finished(make(grid, dict.fromkeys("ab", figures(0.9)), sources=CELLS).rows)).pairs["a", "b"]
    assert (pair.change, pair.p, pair.tied) == (0, 1, True)
    assert pair.high == -pair.low == pytest.approx(1 - 0.025 ** (1 / 71))


def test_rounding_is_no_variance(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"hidden_layers": 2}})
    rows = finished(make(grid, dict.fromkeys("ab", figures(0.9)), sources=CELLS | {"test": 12}).rows)
    names = np.array([str(number) for number in range(12)], dtype=object)
    cells = []
    for right in (9, 8):
        confusion = np.zeros((12, 4, 4))
        confusion[:, 0, 0], confusion[:, 0, 1] = right, 10 - right
        cells.append({"test": RowCells({0: CellCounts(names, confusion, np.zeros(12, dtype=int))})})
    rows = [replace(row, cells=own) for row, own in zip(rows, cells, strict=True)]
    assert compare(rows).pairs["a", "b"].p == pytest.approx(2 * 0.5**12)  # the sign test of 12 cells
    assert rows[0].cells["test"].accuracy.low < 0.8


@pytest.mark.parametrize("cells", [4, 40])
def test_rows_that_disagree_on_every_cell_are_apart_where_there_are_cells_enough(make, figures, cells):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"hidden_layers": 2}})
    outcomes = {"a": figures(0.0), "b": figures(1.0)}
    pair = compare(finished(make(grid, outcomes, sources=CELLS | {"test": cells}).rows)).pairs["a", "b"]
    assert pair.change == 1
    assert pair.tied == (cells == 4)


def test_rows_without_cells_or_with_other_tests_are_not_compared(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"split": "pooled"}})
    outcomes = dict.fromkeys("ab", figures(0.9))
    assert compare(finished(make(grid, outcomes, sources=CELLS).rows)).pairs == {}
    unknown = make(GridConfig(name="g", experiments={"a": {}, "b": {"epochs": 3}}), outcomes)
    assert compare(finished(unknown.rows)).pairs == {}


def test_the_correction_is_holms():
    # Holm (1979): the smallest times three, the next times two, never falling.
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([]) == []


@pytest.mark.parametrize("number", [1, 2, 21, 500])
def test_the_correction_is_that_of_statsmodels(number):
    values = np.random.default_rng(number).beta(0.3, 3, number)
    values[number // 2 :] = values[: number - number // 2]  # ties
    assert corrected(values) == pytest.approx(multipletests(values, method="holm")[1])
