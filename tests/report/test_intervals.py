"""Intervals of figures whose truth is known, because the cells are drawn from a population that is."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from bloodcell.report.cells import CellCounts
from bloodcell.report.intervals import Interval, RowCells
from bloodcell.report.resampling import resample
from tests.report.simulated import row_of_runs, true_accuracy, true_recalls


@pytest.fixture
def quickly(monkeypatch):
    """Fewer resamples, which make a variance known to 4%: what is measured over many draws does not feel it."""
    monkeypatch.setattr("bloodcell.report.resampling._RESAMPLES", 300)


LABELS = ("EOS", "LYM", "MON", "NEU")
CELLS = (13, 6, 4, 45)  # as behind Kaggle's TEST
IMAGES = (48, 103, 155, 14)  # of each cell there
RECALLS = (0.85, 0.9, 0.8, 0.9)


def draw(rng, cells=CELLS, images=IMAGES, concentration=0.6) -> pd.DataFrame:
    """Cells that are nearly all right or nearly all wrong, as augmented images of one cell are."""
    tables = []
    for label, count, size, recall in zip(LABELS, cells, images, RECALLS, strict=True):
        chance = rng.beta(recall * concentration, (1 - recall) * concentration, count)
        right = rng.random((count, size)) < chance[:, None]
        others = np.array([other for other in LABELS if other != label])
        called = np.where(right, label, others[rng.integers(0, 3, right.shape)])
        names = np.repeat([f"{label}-{number}" for number in range(count)], size)
        tables.append(pd.DataFrame({"source": names, "label": label, "predicted": called.ravel()}))
    return pd.concat(tables, ignore_index=True)


def truths(cells=CELLS, images=IMAGES) -> dict[str, float]:
    sizes = np.array(cells) * np.array(images)
    confusion = np.array([[n * (1 - r) / 3] * 4 for n, r in zip(sizes, RECALLS, strict=True)])
    np.fill_diagonal(confusion, sizes * np.array(RECALLS))
    f1 = 2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1))
    return {
        "accuracy": np.average(RECALLS, weights=sizes),
        "balanced_accuracy": np.mean(RECALLS),
        "macro_f1": f1.mean(),
    }


def once(images: pd.DataFrame) -> RowCells:
    """What a single training made of them."""
    return RowCells({0: CellCounts.of(images, LABELS)})


def test_the_values_are_those_of_scikit_learn():
    images = draw(np.random.default_rng(0))
    counts = once(images)
    assert counts.accuracy.value == pytest.approx((images["label"] == images["predicted"]).mean())
    assert counts.balanced_accuracy.value == pytest.approx(
        balanced_accuracy_score(images["label"], images["predicted"])
    )
    assert counts.macro_f1.value == pytest.approx(f1_score(images["label"], images["predicted"], average="macro"))
    assert (counts.accuracy.cells, counts.recall(0).cells, counts.recall(2).cells) == (68, 13, 4)


def accuracy_of(runs: dict[int, CellCounts]) -> Interval:
    return RowCells(runs).accuracy


def coverage(rng, trials, truth, **options) -> dict[str, float]:
    hits = dict.fromkeys(truth, 0)
    for _ in range(trials):
        counts = once(draw(rng, **options))
        for figure, true in truth.items():
            interval = getattr(counts, figure)
            hits[figure] += interval.low <= true <= interval.high
    return {figure: hit / trials for figure, hit in hits.items()}


def test_the_intervals_cover_the_truth_nineteen_times_in_twenty_where_classes_have_cells_enough():
    cells, images = (30, 30, 30, 30), (20, 20, 20, 20)
    found = coverage(np.random.default_rng(1), 300, truths(cells, images), cells=cells, images=images)
    assert all(0.92 <= share <= 0.98 for share in found.values()), found


def test_and_nearly_so_where_a_class_has_four_cells():
    found = coverage(np.random.default_rng(2), 300, truths())
    assert all(0.88 <= share <= 0.98 for share in found.values()), found


def test_recalls_are_covered_as_their_cells_allow(quickly):
    # The fewer the cells, the oftener all of them agree and say too little: docs/adr/0012.
    rng, held = np.random.default_rng(13), np.zeros(4)
    for _ in range(300):
        counts = once(draw(rng))
        recalls = [counts.recall(label) for label in range(4)]
        held += [found.low <= true <= found.high for found, true in zip(recalls, RECALLS, strict=True)]
    assert all(0.8 <= share <= 0.99 for share in held / 300), held / 300
    assert min(held[[0, 3]]) / 300 >= 0.9, held / 300  # thirteen cells and more


def test_counting_images_would_cover_a_third_of_the_time():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(100):
        images = draw(rng)
        right = int((images["label"] == images["predicted"]).sum())
        naive = stats.binomtest(right, len(images)).proportion_ci(method="wilson")
        hits += naive.low <= truths()["accuracy"] <= naive.high
    assert hits < 50


def test_where_all_cells_agree_the_interval_is_that_of_so_many_cells():
    images = pd.DataFrame({"source": np.repeat(["a", "b", "c", "d"], 100), "label": "MON", "predicted": "MON"})
    counts = once(images)
    assert (counts.accuracy.value, counts.accuracy.high) == (1.0, 1.0)
    assert counts.accuracy.low == pytest.approx(0.025 ** (1 / 4))
    assert counts.recall(2).low == counts.accuracy.low


@pytest.mark.parametrize("cells", [1, 2])
def test_few_cells_have_a_wide_interval(cells):
    images = pd.DataFrame(
        {"source": np.repeat(["a", "b"][:cells], 50), "label": "MON", "predicted": ["MON", "NEU"] * 25 * cells}
    )
    interval = once(images).accuracy
    assert interval.low < 0.2
    assert interval.high > 0.8


def test_a_class_of_one_cell_is_resampled_with_the_smallest_other():
    images = draw(np.random.default_rng(4), cells=(13, 6, 1, 45))
    counts = once(images)
    (resampled,) = resample([counts.runs])
    assert resampled.freedom.tolist() == pytest.approx([12, 6, np.nan, 44], nan_ok=True)
    assert resampled.variance(0)[1] > 6
    assert 0 <= counts.accuracy.low < counts.accuracy.value < counts.accuracy.high <= 1


def test_a_cell_of_two_labels_is_one_cell():
    images = pd.DataFrame(
        {"source": ["a"] * 3 + ["b"] * 3, "label": ["EOS", "EOS", "NEU"] * 2, "predicted": ["EOS", "NEU", "NEU"] * 2}
    )
    counts = once(images)
    assert counts.accuracy.cells == 2
    assert counts.recall(3).cells == 2


def test_the_same_cells_have_the_same_interval():
    images = draw(np.random.default_rng(5))
    assert once(images).accuracy == once(images).accuracy


@pytest.mark.parametrize(("cell", "seed", "noise"), [(2.0, 0.3, 1.0), (2.0, 1.0, 1.0), (1.0, 0.2, 2.0)])
def test_over_several_trainings_the_intervals_cover_seeds_as_well(cell, seed, noise, quickly):
    rng = np.random.default_rng(6)
    recalls = true_recalls(rng, cell=cell, seed=seed, noise=noise)
    sizes = np.multiply(CELLS, IMAGES)
    confusion = np.diag(sizes * recalls) + np.roll(np.diag(sizes * (1 - recalls)), 1, axis=1)
    truth = {
        "accuracy": np.average(recalls, weights=sizes),
        "balanced_accuracy": recalls.mean(),
        "macro_f1": (2 * np.diag(confusion) / (confusion.sum(0) + confusion.sum(1))).mean(),
    }
    rows = [RowCells(row_of_runs(rng, 3, cell=cell, seed=seed, noise=noise)) for _ in range(200)]
    for figure, true in truth.items():
        held = np.mean([interval.low <= true <= interval.high for interval in (getattr(r, figure) for r in rows)])
        assert 0.90 <= held <= 0.99, (figure, held)
    for label, true in enumerate(recalls):
        held = np.mean([interval.low <= true <= interval.high for interval in (r.recall(label) for r in rows)])
        assert held >= 0.85, (label, held)


@pytest.mark.parametrize(("cell", "seed", "noise"), [(2.0, 0.3, 1.0), (2.0, 1.0, 1.0), (1.0, 1.0, 0.5)])
def test_the_gain_is_covered_and_what_a_seed_does_to_both_does_not_widen_it(cell, seed, noise, quickly):
    rng = np.random.default_rng(12)
    drawn = {"cell": cell, "seed": seed, "noise": noise}
    truth = true_accuracy(rng, better=1.5, **drawn) - true_accuracy(rng, **drawn)
    gains, apart = [], []
    for _ in range(200):
        effects = rng.normal(0, seed, 3)
        new = RowCells(row_of_runs(rng, 3, **drawn, effects=effects))
        seen = RowCells(row_of_runs(rng, 3, **drawn, effects=effects, better=1.5))
        gains.append(seen.gain(new))
        apart.append(math.hypot(*(each.accuracy.high - each.accuracy.low for each in (seen, new))))
    _, low, high = np.transpose(gains)
    held = np.mean((low <= truth) & (truth <= high))
    assert 0.88 <= held <= 0.99, held
    assert np.median(high - low) < (0.75 if seed > 0.5 else 1.1) * np.median(apart)


def test_cells_alone_would_not():
    rng = np.random.default_rng(7)
    truth = true_accuracy(rng, cell=1.0, seed=1.0, noise=0.5)
    runs = [row_of_runs(rng, 3, cell=1.0, seed=1.0, noise=0.5) for _ in range(100)]
    first = [RowCells({0: row[0]}).accuracy for row in runs]
    assert sum(interval.low <= truth <= interval.high for interval in first) < 80


def test_trainings_that_are_tested_on_other_cells_are_put_together():
    rng = np.random.default_rng(8)
    one, two = draw(rng), draw(rng)
    two["source"] = "other-" + two["source"]
    both = RowCells({0: CellCounts.of(one, LABELS), 1: CellCounts.of(two, LABELS)})
    assert both.accuracy.cells == 2 * 68
    assert both.accuracy.value == pytest.approx((once(one).accuracy.value + once(two).accuracy.value) / 2)
    assert both.accuracy.low < both.accuracy.value < both.accuracy.high


@pytest.mark.parametrize(("seed", "noise"), [(0.3, 1.0), (1.0, 1.0)])
def test_where_seeds_choose_the_cells_the_intervals_cover_as_well(seed, noise, quickly):
    rng = np.random.default_rng(9)
    truth = true_accuracy(rng, cell=2.0, seed=seed, noise=noise)
    rows = [row_of_runs(rng, 4, cell=2.0, seed=seed, noise=noise, tested=0.5) for _ in range(100)]
    intervals = [accuracy_of(row) for row in rows]
    held = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    assert held >= 0.9, held
    # With four seeds of half the cells, it is their spread, by Student's t, and little more.
    spread = np.std([interval.value for interval in intervals])
    assert np.median([interval.high - interval.low for interval in intervals]) < 2 * 3.2 * 1.5 * spread


def test_and_more_of_them_narrow_the_intervals_also_of_a_class_of_few_cells():
    rng = np.random.default_rng(10)
    rows = [row_of_runs(rng, 10, cell=2.0, seed=0.3, noise=1.0, tested=0.25) for _ in range(10)]

    def width(seeds: int) -> tuple[float, float]:
        counts = [RowCells({number: row[number] for number in range(seeds)}) for row in rows]
        spans = [(c.accuracy.high - c.accuracy.low, c.recall(0).high - c.recall(0).low) for c in counts]
        accuracy, recall = np.mean(spans, axis=0)
        return float(accuracy), float(recall)

    three, ten = width(3), width(10)
    assert ten[0] < 0.9 * three[0]
    assert ten[1] < 0.9 * three[1]


def test_trainings_that_call_all_images_one_class_have_no_interval_from_0_to_100():
    rng, labels = np.random.default_rng(11), np.repeat(np.arange(4), CELLS)
    names = np.array([f"cell-{number}" for number in range(len(labels))], dtype=object)

    def called(label: int) -> CellCounts:
        confusion = np.zeros((len(labels), 4, 4))
        confusion[range(len(labels)), labels, label] = np.array(IMAGES)[labels] + rng.integers(0, 5, len(labels))
        return CellCounts(names, confusion, labels)

    interval = RowCells({seed: called(label) for seed, label in enumerate((0, 1, 2))}).accuracy
    assert interval.low > 0.1
    assert interval.high < 0.4


def test_a_test_of_three_cells_a_seed_has_an_interval():
    names = np.array([f"cell-{number}" for number in range(9)], dtype=object)
    confusion = np.zeros((9, 4, 4))
    confusion[:, 0, 0], confusion[:, 0, 1] = range(1, 10), range(9, 0, -1)
    runs = {
        seed: CellCounts(names[cells], confusion[cells], np.zeros(3, dtype=int))
        for seed, cells in enumerate(np.split(np.arange(9), 3))
    }
    interval = RowCells(runs).accuracy
    assert 0 < interval.low < interval.value < interval.high < 1
