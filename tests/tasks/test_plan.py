import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.errors import GridError, ObjectNotFoundError
from tasks.plan import plan


def grid(small, **rows) -> GridConfig:
    base = small.model_dump(exclude_defaults=True)
    return GridConfig(name="g", dataset="coloured", base=base, experiments={"a": {}, "b": {"seed": 1}, **rows})


def test_a_plan_says_what_has_a_result_and_writes_nothing(store, coloured, small):
    first = plan(store, grid(small))
    assert [row.done for row in first.rows] == [False, False]
    assert list(store.list("experiments/")) == []
    store.write(artifacts.experiment(first.rows[1].spec.key, "result.json"), b"{}")
    second = plan(store, grid(small))
    assert [row.done for row in second.rows] == [False, True]
    assert [row.spec for row in second.rows] == [row.spec for row in first.rows]


def test_changing_one_row_changes_its_key_alone(store, coloured, small):
    keys = [row.spec.key for row in plan(store, grid(small)).rows]
    changed = [row.spec.key for row in plan(store, grid(small, b={"seed": 2})).rows]
    assert changed[0] == keys[0]
    assert changed[1] != keys[1]


def test_weights_are_in_the_store_before_any_experiment_starts(store, coloured, small, tmp_path):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"weights")
    planned = plan(store, grid(small).with_overrides({"weights": str(path)}))
    name = planned.rows[0].spec.config.weights
    assert store.read(name) == b"weights"


def test_two_copies_of_one_weights_file_are_one_experiment(store, coloured, small, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.weights.h5").write_bytes(b"weights")
    rows = {name: {"seed": 3, "weights": str(tmp_path / f"{name}.weights.h5")} for name in "ab"}
    with pytest.raises(GridError, match="rows 'a' and 'b' are one experiment"):
        plan(store, grid(small, **rows))


def test_a_missing_dataset_is_named_with_those_there_are(store, coloured, small):
    missing = grid(small).model_copy(update={"dataset": "other"})
    with pytest.raises(ObjectNotFoundError, match=r"dataset is 'other'.*holds coloured"):
        plan(store, missing)
