from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import EarlyStopping, ExperimentConfig, GridConfig, GridRow
from bloodcell.data.dataset import DatasetInfo
from tasks.learning_time import Learned, LearningTime, learning_time
from tasks.plan import Plan, PlannedRun
from tasks.precedents import Precedent
from tasks.training_images import training_images

GRID = GridConfig(name="g", base={"backbone": "MobileNet"}, experiments={"a": {}})
STOP, PATIENT = EarlyStopping(patience=3), EarlyStopping(patience=30)


def dataset() -> DatasetInfo:
    return DatasetInfo(
        name="cells", version="1" * 16, origin="o", synthetic=False, labels=("a",), images=10_000, sources=10_000,
        sources_known=False, declared={}, duplicates=(), skipped=(), shards={}, manifest_sha256="0" * 64,
        created=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip


def images(**fields) -> int:
    """Those that train, of the dataset."""
    return round(training_images(ExperimentConfig(backbone="MobileNet", **fields), dataset()))


def spec(dataset="cells", version="1" * 16, **fields) -> ExperimentSpec:
    config = ExperimentConfig(**({"backbone": "MobileNet"} | fields))
    return ExperimentSpec(config=config, dataset=dataset, dataset_version=version, code_version="c")


def planned(row="a", *, done=False, **fields) -> PlannedRun:
    own = spec(**fields)
    return PlannedRun(row, GridRow(name=row, changed={}, config=own.config), own, done)


def past(row="a", run="run-1", **fields) -> Precedent:
    own = spec(**fields)
    return Precedent(run, row, own, own.key, "trained")


def estimate(runs, earlier, learned, over=None) -> LearningTime | None:
    """That of planned runs; of an earlier training, all that a report may tell, or the seconds alone."""
    plan = Plan(GRID, dataset(), tuple(runs), (), over=over or {})
    known = {key: took if isinstance(took, Learned) else Learned(took) for key, took in learned.items()}
    return learning_time(plan, earlier, known)


def test_the_newest_training_of_the_row_itself_is_taken_before_any_others():
    newest, own = past(row="b", dense_units=16), past(seed=1)
    seconds = {newest.key: 50.0, own.key: 60.0}
    assert estimate([planned()], [newest, own], seconds) == LearningTime(60, 1, 1)
    assert estimate([planned(row="c"), planned()], [newest, own], seconds) == LearningTime(110, 2, 2)


def test_epochs_are_reckoned_with():
    own = past(epochs=10)
    assert estimate([planned(epochs=15)], [own], {own.key: 60.0}) == LearningTime(90, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"image_size": 64},
        {"width": 0.5},
        {"backbone": "VGG16"},
        {"trainable": "head"},
        {"batch_size": 64},
        {"dataset": "others"},
    ],
)
def test_what_takes_another_time_is_no_measure(other):
    own, known = past(**other), past()
    for tell in (Learned(60), Learned(60, 10, 6000)):
        assert estimate([planned()], [own], {own.key: tell}) is None
        both = {own.key: tell, known.key: 30.0}
        assert estimate([planned(), planned(image_size=96)], [own, known], both) == LearningTime(30, 1, 1)


def test_a_training_whose_time_is_not_known_is_passed_over():
    failed, older = past(seed=2), past(seed=1)
    assert estimate([planned()], [failed, older], {older.key: 20.0}) == LearningTime(20, 1, 1)
    assert estimate([planned()], [failed], {}) is None
    assert estimate([], [older], {older.key: 20.0}) is None
    assert estimate([planned(done=True)], [older], {older.key: 20.0}) is None


def test_epochs_that_are_over_are_not_trained_again():
    own, begun = past(epochs=10), planned(epochs=10, seed=1)
    assert estimate([begun], [own], {own.key: 60.0}, {begun.spec.key: 7}) == LearningTime(18, 1, 1)


def test_what_stopped_early_was_as_fast_as_in_the_epochs_that_it_ran():
    stopped = past(epochs=50, early_stopping=STOP)
    took = {stopped.key: Learned(100, 10)}
    assert estimate([planned(epochs=50)], [stopped], took) == LearningTime(500, 1, 1)
    # By the same rule it is expected to stop when that did; by another, with its last epoch or sooner.
    again, other = (planned(epochs=50, early_stopping=rule, seed=1) for rule in (STOP, PATIENT))
    assert estimate([again], [stopped], took) == LearningTime(100, 1, 1)
    assert estimate([other], [stopped], took) == LearningTime(500, 1, 1, at_most=True)
    assert estimate([again, planned(epochs=50)], [stopped], took) == LearningTime(600, 2, 1)
    assert estimate([again, other], [stopped], took) == LearningTime(600, 2, 1, at_most=True)
    shorter = planned(epochs=4, early_stopping=STOP)
    assert estimate([shorter], [stopped], took) == LearningTime(40, 1, 1)


@pytest.mark.parametrize(
    ("over", "seconds", "at_most"), [(9, 10, False), (10, 400, True), (30, 200, True), (50, 0, False)]
)
def test_what_is_left_of_a_training_that_may_stop_early(over, seconds, at_most):
    stopped, begun = past(epochs=50, early_stopping=STOP), planned(epochs=50, early_stopping=STOP, seed=1)
    took = {stopped.key: Learned(100, 10)}
    assert estimate([begun], [stopped], took, {begun.spec.key: over}) == LearningTime(seconds, 1, 1, at_most)


def test_what_ran_all_its_epochs_tells_of_no_more_than_those():
    ran = past(epochs=10, early_stopping=STOP)
    took = {ran.key: Learned(100, 10)}
    assert estimate([planned(epochs=10, early_stopping=STOP, seed=1)], [ran], took) == LearningTime(100, 1, 1)
    longer = planned(epochs=20, early_stopping=STOP)
    assert estimate([longer], [ran], took) == LearningTime(200, 1, 1, at_most=True)
    never_stopped = past(epochs=10)
    took = {never_stopped.key: Learned(100)}
    assert estimate([longer], [never_stopped], took) == LearningTime(200, 1, 1, at_most=True)


def test_where_it_is_not_known_when_a_training_stopped_an_older_one_is_taken():
    unknown, older = past(early_stopping=STOP), past(seed=1)
    took = {unknown.key: Learned(10), older.key: Learned(60)}
    assert estimate([planned()], [unknown, older], took) == LearningTime(60, 1, 1)
    assert estimate([planned()], [unknown], took) is None


def test_images_are_reckoned_with_where_they_are_known():
    tenth = past(version="0" * 16)
    took = Learned(60, 10, images() // 10)
    assert estimate([planned()], [tenth], {tenth.key: took}) == LearningTime(pytest.approx(600, rel=0.01), 1, 1)
    assert estimate([planned()], [tenth], {tenth.key: took._replace(images=None)}) is None
    other_split = past(split="pooled")
    took = Learned(60, 10, images(split="pooled"))
    expected = pytest.approx(60 * images() / images(split="pooled"), rel=0.01)
    assert estimate([planned()], [other_split], {other_split.key: took}) == LearningTime(expected, 1, 1)
    assert estimate([planned()], [other_split], {other_split.key: took._replace(images=None)}) is None


def test_a_training_on_the_same_images_is_taken_before_newer_ones_on_others():
    others, same, another_row = past(version="0" * 16), past(seed=1), past(row="b", dense_units=16)
    took = {others.key: Learned(9, 10, images()), same.key: Learned(60), another_row.key: Learned(70)}
    earlier = [others, same, another_row]
    assert estimate([planned()], earlier, took) == LearningTime(60, 1, 1)
    del took[same.key]
    assert estimate([planned()], earlier, took) == LearningTime(pytest.approx(9, rel=0.01), 1, 1)
    assert estimate([planned(row="c")], earlier, took) == LearningTime(70, 1, 1)


def test_of_the_same_images_as_many_train_whatever_a_report_counted():
    own = past()
    took = {own.key: Learned(60, 10, images() + 7)}  # shares are of whole cells
    assert estimate([planned(seed=1)], [own], took) == LearningTime(60, 1, 1)
    renamed = replace(own, row="b")
    assert estimate([planned(seed=1)], [renamed], took) == LearningTime(60, 1, 1)
