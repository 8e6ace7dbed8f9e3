import pytest

from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import ExperimentConfig, GridRow
from tasks.learning_time import LearningTime, learning_time
from tasks.plan import PlannedRun
from tasks.precedents import Precedent


def spec(dataset="cells", **fields) -> ExperimentSpec:
    config = ExperimentConfig(**({"backbone": "MobileNet"} | fields))
    return ExperimentSpec(config=config, dataset=dataset, dataset_version="1" * 16, code_version="c")


def planned(row="a", **fields) -> PlannedRun:
    own = spec(**fields)
    return PlannedRun(row, GridRow(name=row, changed={}, config=own.config), own, done=False)


def past(row="a", run="run-1", **fields) -> Precedent:
    own = spec(**fields)
    return Precedent(run, row, own, own.key, "trained")


def test_the_newest_training_of_the_row_itself_is_taken_before_any_others():
    newest, own = past(row="b", dense_units=16), past(seed=1)
    seconds = {newest.key: 50.0, own.key: 60.0}
    assert learning_time([planned()], [newest, own], seconds, {}) == LearningTime(60, 1, 1)
    assert learning_time([planned(row="c"), planned()], [newest, own], seconds, {}) == LearningTime(110, 2, 2)


def test_epochs_are_reckoned_with():
    own = past(epochs=10)
    assert learning_time([planned(epochs=15)], [own], {own.key: 60.0}, {}) == LearningTime(90, 1, 1)


@pytest.mark.parametrize(
    "other", [{"image_size": 64}, {"width": 0.5}, {"backbone": "VGG16"}, {"trainable": "head"}, {"dataset": "others"}]
)
def test_what_takes_another_time_is_no_measure(other):
    own = past(**other)
    assert learning_time([planned()], [own], {own.key: 60.0}, {}) is None
    known = past()
    both = {own.key: 60.0, known.key: 30.0}
    assert learning_time([planned(), planned(image_size=96)], [own, known], both, {}) == LearningTime(30, 1, 1)


def test_a_training_whose_time_is_not_known_is_passed_over():
    failed, older = past(seed=2), past(seed=1)
    assert learning_time([planned()], [failed, older], {older.key: 20.0}, {}) == LearningTime(20, 1, 1)
    assert learning_time([planned()], [failed], {}, {}) is None
    assert learning_time([], [older], {older.key: 20.0}, {}) is None


def test_epochs_that_are_over_are_not_trained_again():
    own, begun = past(epochs=10), planned(epochs=10, seed=1)
    assert learning_time([begun], [own], {own.key: 60.0}, {begun.spec.key: 7}) == LearningTime(18, 1, 1)
