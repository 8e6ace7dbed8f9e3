import re

import pytest

from bloodcell.config import GridConfig
from tests.report.conftest import leakage_of

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


@pytest.mark.parametrize(
    ("changes", "caution"),
    [
        ({"split": "pooled"}, "Rows differ in split, which chooses the test images"),
    ],
)
def test_what_limits_a_comparison_is_said(make, figures, changes, caution):
    example = make(
        GridConfig(name="g", experiments={"a": {}, "b": changes}), {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN
    )
    assert caution in example.opening
    plain = make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.8)}, sources=KNOWN)
    assert caution not in plain.opening


@pytest.mark.parametrize("changes", [{"test_fraction": 0.3}, {"split": "folder"}])
def test_test_images_differ_only_where_the_dataset_declares_none(make, figures, changes):
    grid = GridConfig(name="g", experiments={"a": {}, "b": changes})
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    assert "Different test images" not in make(grid, outcomes, sources=KNOWN).opening
    if "split" not in changes:
        assert "**Different test images**" in make(grid, outcomes, sources=KNOWN, declares_test=False).opening


def test_one_training_per_row_is_said_where_it_is_so(make, figures, grid):
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    text = make(grid, outcomes).markdown
    assert "**One training per row**: Seed 0. No interval covers the variation from training to training" in text
    assert "There is one training per setting, so nothing is claimed beyond these trainings." in text
    known = make(grid, outcomes, sources=KNOWN).markdown
    assert "nothing is claimed beyond these trainings: more than chance, and p, are of other cells" in known
    twice = make(grid.model_copy(update={"seeds": 2}), outcomes, sources=KNOWN).markdown
    assert "**Two trainings per row**: How much trainings of a row differ rests on two of each" in twice
    assert "that are equal, and how wide a row's interval is, is largely chance. A grid" in twice
    assert "There are two trainings per setting: rows that are apart may be equal with other seeds." in twice
    assert "unlikely to close the gap" not in twice
    thrice = grid.model_copy(update={"seeds": 3})
    several = make(thrice, outcomes, sources=KNOWN).markdown
    assert not re.search("(one|One|Two|two) trainings? per", several)
    assert "Where rows are apart, both other cells and other seeds are unlikely to close the gap." in several
    assert "close the gap" not in make(thrice, outcomes).markdown  # without source cells none is apart


def test_a_row_that_lost_a_training_is_named(make, figures, grid):
    twice = grid.model_copy(update={"seeds": 2})
    text = make(twice, {"a": figures(0.8), "b": [figures(0.9), "out of memory"]}, sources=KNOWN).opening
    assert "**Failed trainings**: These rows lost trainings: b (1 training)." in text
    assert "**Not ranked**: These rows have fewer trainings than the 2 of the grid, and so no rank: b (1)." in text


def test_a_row_with_few_trainings_among_others_with_more_is_named(make, figures, grid):
    thrice = grid.model_copy(update={"seeds": 3})
    outcomes = {"a": figures(0.8), "b": [figures(0.9), figures(0.8), "out of memory"]}
    example = make(thrice, outcomes, sources=KNOWN)
    assert "**Few trainings of some rows**: b: how wide the interval of a row with one or two" in example.opening
    assert "with fewer trainings than the others: b" in example.markdown
    assert "As measured it" not in example.markdown


def test_the_test_is_not_independent_where_it_is_drawn_from_images_of_unknown_cells(make, figures, grid):
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    assert "**Test not independent**" in make(grid, outcomes, declares_test=False).opening
    assert "**Test not independent**" not in make(grid, outcomes).opening
    assert "**Test not independent**" not in make(grid, outcomes, sources=KNOWN, declares_test=False).opening


def test_rows_that_each_lost_another_training_are_not_said_to_have_other_tests(make, figures, grid):
    twice = grid.model_copy(update={"seeds": 2})
    outcomes = {"a": ["out of memory", figures(0.8)], "b": [figures(0.9), "out of memory"]}
    text = make(twice, outcomes, sources=KNOWN).markdown
    assert "No row has a result of every seed, so none of them is called the best." in text
    assert "No accuracy is bold, as no row has a result of every seed." in text
    assert "different images" not in text


@pytest.mark.parametrize(("accuracies", "sources", "told"), [((0.25, 0.2), None, True), ((0.3, 0.2), None, False),
                         ((0.3, 0.2), KNOWN, True), ((0.9, 0.2), KNOWN, False)])  # fmt: skip
def test_rows_that_may_do_no_better_than_one_answer_for_all_are_told(make, figures, grid, accuracies, sources, told):
    text = make(grid, dict(zip("ab", map(figures, accuracies), strict=True)), sources=sources).opening
    assert ("To call every test image EOSINOPHIL is right for 25.00%; no row is known to do better." in text) == told


def test_rows_of_several_machines_are_told_apart(make, figures, grid):
    gpu = {"device": "GPU", "packages": {"tensorflow": "2.21.0"}}
    cpu = {"device": "CPU", "packages": {"tensorflow": "2.21.0"}, "git_commit": None}
    example = make(grid, {"a": figures(0.8, environment=gpu), "b": figures(0.9, environment=cpu)})
    assert (
        "**Learning times do not compare**: Rows ran under different conditions: device GPU and CPU.\n"
        in example.opening
    )
    text = example.markdown
    assert "*Accuracy against learning time (times do not compare, see above): one line" in text
    assert "| **90.00%** | 60,000 |" in text
    assert "the settings in which a row differs from the first and the highest accuracy." in text
    assert not re.search("least learning time|Learning time,", text)
    assert "| device | GPU (a); CPU (b) |" in text
    assert "| tensorflow | 2.21.0 |" in text
    assert "git commit" not in text


def test_more_threads_are_no_other_device(make, figures, grid):
    two, four = ({"device": "CPU", "processor": "x", "threads": threads} for threads in (2, 4))
    text = make(grid, {"a": figures(0.8, environment=two), "b": figures(0.9, environment=four)}).opening
    assert "under different conditions: number of CPU threads 2 and 4." in text
    assert "device" not in text
    same = make(grid, {"a": figures(0.8, environment=two), "b": figures(0.9, environment=two)})
    assert "Learning times do not compare" not in same.opening
    assert "| **90.00%** | **60,000** |" in same.markdown
    assert "the highest accuracy and the least learning time." in same.markdown
    assert "*Accuracy against learning time: one line" in same.markdown
    assert "Learning time, in the same order, is" in same.markdown


@pytest.mark.parametrize(("first", "compares"), [("compiled", True), ("not used", True), ("not compiled", False)])
def test_a_row_without_use_for_the_kernel_is_of_no_other_machine(make, figures, grid, first, compares):
    rows = {
        name: figures(0.8, environment={"own_kernel": state})
        for name, state in zip("ab", (first, "compiled"), strict=True)
    }
    assert ("Learning times do not compare" not in make(grid, rows).opening) == compares


@pytest.mark.parametrize(
    ("protocol", "test", "validation"),
    [("source", 0, 0), ("folder", 0, 2000), ("folder", 74, 2000), ("pooled", 2500, 1999)],
)
def test_leakage_is_told_with_its_counts(make, figures, grid, protocol, test, validation):
    leaking = grid.with_overrides({"split": protocol})
    audit = leakage_of(leaking.rows[0].config, test=test, validation=validation)
    text = make(leaking, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN, leakage=(audit,)).opening
    have = f"with split {protocol} have a sibling (another image of the same source cell) in training"
    assert (f"**Leakage**: {test:,} of 2,500 test images {have}. Such images say little" in text) == (test > 0)
    assert (
        f"**Validation not independent**: {validation:,} of 2,000 validation images {have}, so validation" in text
    ) == (validation > 0)
    assert ("Leakage" in text, "not independent" in text) == (test > 0, validation > 0)


@pytest.mark.parametrize("protocol", ["source", "folder", "pooled"])
def test_leakage_of_unknown_cells_is_called_unknown(make, figures, grid, protocol):
    unknown = grid.with_overrides({"split": protocol})
    audit = leakage_of(unknown.rows[0].config, test=None, validation=None)
    text = make(unknown, {"a": figures(0.8), "b": figures(0.9)}, leakage=(audit,)).opening
    assert "How many test images have a sibling (another image of the same source cell) in training is unknown" in text
    assert (", and split pooled keeps none apart." in text) == (protocol == "pooled")
    assert "**Validation not independent**: Validation images may share cells with training, so" in text
    assert "**Leakage**" not in text


def test_a_row_that_waited_long_for_data_is_named_with_the_remedy(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"dropout": 0.1}, "c": {"dropout": 0.2}})
    # Ten epochs and 600 seconds: 1.8%, 2.5%, and a result that does not know.
    waited = {"a": 1.1, "b": 1.5, "c": None}
    outcomes = {name: figures(0.8, seconds=600, waiting=waiting) for name, waiting in waited.items()}
    example = make(grid, outcomes, sources=KNOWN)
    assert "**Waited for data**: More than 2% of their learning time: b (2.5%). Learning times are" in example.opening
    assert "BLOODCELL_CACHE" in example.opening
    assert "Training waited for data 2.5% of the learning time." in example.markdown
    assert "How long training waited for data is unknown." in example.markdown
    assert "Waited for data" not in make(grid, dict.fromkeys("abc", figures(0.8)), sources=KNOWN).opening
    short = {name: figures(0.8, seconds=6, waiting=0.09) for name in "abc"}  # 15%, but less than a second
    assert "Waited for data" not in make(grid, short, sources=KNOWN).opening


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ((0.9, 0.8), None),
        ((0.9, 0.26), "is right for 25.00%; b may do no better."),
        ((0.9, 0.26, 0.2), "is right for 25.00%; of b and c it is not known that they do better."),
        ((0.26, 0.2), "is right for 25.00%; no row is known to do better."),
    ],
)
def test_rows_that_one_answer_for_all_may_equal_are_named(make, figures, accuracies, words):
    grid = GridConfig(name="g", experiments={name: {"epochs": ord(name)} for name in "abc"[: len(accuracies)]})
    opening = make(grid, dict(zip("abc", map(figures, accuracies), strict=False)), sources=KNOWN).opening
    assert ("No better than one answer for all" in opening) == bool(words)
    assert (words or "") in opening
