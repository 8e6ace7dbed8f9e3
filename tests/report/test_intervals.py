"""Intervals of figures whose truth is known, because the cells are drawn from a population that is."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from bloodcell.report.cells import CellCounts
from bloodcell.report.intervals import Interval, RowCells
from bloodcell.report.resampling import resample
from tests.report.simulated import row_of_runs, true_accuracy

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
def test_over_several_trainings_the_intervals_cover_seeds_as_well(cell, seed, noise):
    rng = np.random.default_rng(6)
    truth = true_accuracy(rng, cell=cell, seed=seed, noise=noise)
    intervals = [RowCells(row_of_runs(rng, 3, cell=cell, seed=seed, noise=noise)).accuracy for _ in range(200)]
    held = sum(interval.low <= truth <= interval.high for interval in intervals) / 200
    assert 0.91 <= held <= 0.99, held


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
def test_where_seeds_choose_the_cells_the_intervals_cover_as_well(seed, noise):
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
