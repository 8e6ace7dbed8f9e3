"""Why an experiment is to be trained, case by case and without a store."""

import pytest

from bloodcell.artifacts import ExperimentSpec
from bloodcell.config import Augmentation, EarlyStopping, ExperimentConfig
from bloodcell.holder import Holder
from tasks.precedents import Precedent, Precedents
from tasks.reasons import Unfinished, differences, reasons

WEIGHTS = {"weights": "weights/a.weights.h5", "weights_sha256": "a" * 64}


def spec(*, data="1" * 16, code="0123456789ab", dataset="cells", repeat=0, **fields) -> ExperimentSpec:
    return ExperimentSpec(
        config=ExperimentConfig(**fields), dataset=dataset, dataset_version=data, code_version=code, repeat=repeat
    )


def past(row="a", status="trained", failure="", key=None, run="run-1", **fields) -> Precedent:
    own = spec(**fields)
    return Precedent(run, row, own.model_copy(update={"repeat": 0}), key or own.key, status, failure)


def why(*trainings: Precedent, row="a", left: Unfinished | None = None, **fields) -> tuple[str, ...]:
    return reasons(row, spec(**fields), Precedents(trainings), left=left)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, ()),
        ({}, {"seed": 3}, ()),
        ({}, {"dataset": "renamed"}, ()),
        ({}, {"learning_rate": 5e-5}, ("changed learning_rate 1e-5 -> 5e-5",)),
        ({"dropout": 0.5}, {"dropout": 0}, ("changed dropout 0.5 -> 0",)),
        (
            {"epochs": 3, "backbone": "MobileNet"},
            {"epochs": 4, "backbone": "MobileNet", "width": 0.5},
            ("changed width 1 -> 0.5", "changed epochs 3 -> 4"),
        ),
        ({"backbone": "VGG16"}, {"backbone": "VGG16", "image_size": 224}, ()),
        ({"backbone": "VGG16"}, {"backbone": "VGG16", "image_size": 96}, ("changed image_size 224 -> 96",)),
        (
            {"early_stopping": EarlyStopping(patience=3)},
            {"early_stopping": EarlyStopping(patience=5, restore_best=False)},
            ("changed early_stopping.patience 3 -> 5", "changed early_stopping.restore_best yes -> no"),
        ),
        (
            {"augmentation": Augmentation()},
            {"augmentation": Augmentation(horizontal_flip=True, rotation=0.5)},
            ("changed augmentation.horizontal_flip no -> yes", "changed augmentation.rotation 0 -> 0.5"),
        ),
        (
            {},
            {"augmentation": Augmentation(rotation=20)},
            ("changed augmentation none -> horizontal flip no, vertical flip no, rotation 20, shift 0",),
        ),
        (WEIGHTS, WEIGHTS | {"weights": "weights/b.weights.h5"}, ()),
        (WEIGHTS, WEIGHTS | {"weights_sha256": "b" * 64}, ("changed weights aaaaaaaa -> bbbbbbbb",)),
        ({}, WEIGHTS, ("changed weights imagenet -> aaaaaaaa",)),
        ({}, {"data": "2" * 16}, ("changed data 11111111 -> 22222222",)),
        ({}, {"data": "2" * 16, "dataset": "b"}, ("changed data cells@11111111 -> b@22222222",)),
        ({}, {"code": "ba9876543210"}, ("changed code 01234567 -> ba987654",)),
        (
            {},
            {"learning_rate": 5e-5, "data": "2" * 16, "code": "ba9876543210"},
            (
                "changed learning_rate 1e-5 -> 5e-5",
                "changed data 11111111 -> 22222222",
                "changed code 01234567 -> ba987654",
            ),
        ),
    ],
)
def test_two_experiments_differ_in_what_their_keys_are_made_of(old, new, expected):
    assert differences(spec(**old), spec(**new)) == expected
    same_key = spec(**old).key == spec(**new | {"seed": 0}).key
    assert same_key == (expected == ())


def test_a_grid_without_a_report_is_new():
    assert why() == ("new grid",)


def test_a_row_that_no_report_names_is_new():
    assert why(past(row="b", dropout=0.1)) == ("new row",)


def test_a_renamed_row_is_known_by_its_settings():
    assert why(past(row="before"), code="ba9876543210") == ("changed code 01234567 -> ba987654",)


def test_a_row_that_keeps_its_name_is_compared_with_itself_first():
    trainings = past(row="other", code="ba9876543210"), past(row="a", dropout=0.1)
    assert why(*trainings) == ("changed dropout 0.1 -> 0.5",)


def test_the_nearest_of_a_rows_trainings_is_compared():
    trial = past(epochs=1, dropout=0.1, code="ba9876543210", run="run-2")
    assert why(trial, past(), code="ba9876543210") == ("changed code 01234567 -> ba987654",)


def test_of_those_equally_near_the_newest_is():
    assert why(past(epochs=1, run="run-2"), past(epochs=2)) == ("changed epochs 1 -> 10",)


def test_a_seed_that_a_row_has_not_had_is_new():
    assert why(past(seed=0), past(seed=1), seed=2) == ("new seed",)
    assert why(past(seed=0), seed=1, dropout=0) == ("new seed", "changed dropout 0.5 -> 0")
    assert why(past(seed=0), past(seed=1), seed=1, dropout=0) == ("changed dropout 0.5 -> 0",)


def test_what_failed_is_told_with_the_start_of_its_reason():
    failure = "batch larger than the set. Remedy: set batch_size to 3"
    assert why(past(status="failed", failure=failure)) == ("failed before: batch larger than the set",)
    assert why(past(status="failed", failure="one\ntwo")) == ("failed before: one",)
    (long,) = why(past(status="failed", failure="x" * 100))
    assert len(long) < 80


def test_a_failure_is_the_measure_only_where_nothing_else_is():
    failed = past(status="failed", failure="diverged", learning_rate=0.9, run="run-2")
    assert why(failed, learning_rate=0.1) == ("changed learning_rate 0.9 -> 0.1",)
    assert why(failed, past(dropout=0.1, code="other"), learning_rate=0.1) == (
        "changed dropout 0.1 -> 0.5",
        "changed learning_rate 1e-5 -> 0.1",
        "changed code other -> 01234567",
    )


def test_what_failed_and_was_trained_since_is_not_told_as_failed():
    newest = past(status="reused", run="run-2")
    assert why(newest, past(status="failed", failure="no")) == ("its result is gone",)


def test_what_was_begun_is_interrupted():
    left = Unfinished(None, (1, 30))
    assert why(left=left) == ("interrupted; goes on in epoch 2, after step 30 of it",)
    assert why(past(), dropout=0.1, left=Unfinished(None, (3, 0))) == ("interrupted; goes on after epoch 3",)
    assert why(past(status="failed", failure="no"), left=left) == (
        "failed before: no; goes on in epoch 2, after step 30 of it",
    )


def test_what_somebody_trains_is_told_before_all_else():
    holder = Holder.this_process().model_copy(update={"process": 12, "host": "gpu-1"})
    told = "begun by process 12 on gpu-1, which may be training it now"
    assert why(left=Unfinished(holder, None)) == (told,)
    goes_on = (f"{told}; goes on after epoch 1",)
    assert why(past(status="failed", failure="no"), left=Unfinished(holder, (1, 0))) == goes_on
    assert why(past(), repeat=1, left=Unfinished(holder, (1, 0))) == goes_on


def test_what_has_a_result_is_trained_anew_because_it_is_forced():
    assert why(past(), repeat=1) == ("forced",)
    assert why(past(), repeat=1, left=Unfinished(None, (1, 0))) == ("forced; goes on after epoch 1",)


def test_a_result_that_was_reported_and_is_no_more():
    assert why(past()) == ("its result is gone",)
    assert why(past(repeat=2)) == ("its result is gone",)


def test_keys_that_another_release_made_otherwise():
    (told,) = why(past(key="0" * 20))
    assert told.startswith("changed code: ")


def test_precedents_know_which_run_trained_a_result_and_which_only_reused_it():
    known = Precedents(
        [past(run="run-3", status="reused"), past(run="run-2"), past(run="run-3", seed=1, status="reused")]
    )
    assert known.trained_in == {spec().key: "run-2"}
    assert known.reported_by == {spec().key: "run-2", spec(seed=1).key: "run-3"}
    assert known.by_key[spec().key].run_id == "run-3"
