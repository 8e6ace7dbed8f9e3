import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.data.dataset import read_manifest
from bloodcell.errors import DatasetError, GridError, ObjectNotFoundError
from tasks import plan as module
from tasks.plan import plan


def grid(small, **rows) -> GridConfig:
    base = small.model_dump(exclude_defaults=True)
    return GridConfig(name="g", dataset="coloured", base=base, experiments={"a": {}, "b": {"epochs": 3}, **rows})


def test_a_plan_says_what_has_a_result_and_writes_nothing(store, coloured, small):
    first = plan(store, grid(small))
    assert [row.done for row in first.runs] == [False, False]
    assert list(store.list("experiments/")) == []
    store.write(artifacts.experiment(first.runs[1].spec.key, "result.json"), b"{}")
    second = plan(store, grid(small))
    assert [row.done for row in second.runs] == [False, True]
    assert [row.spec for row in second.runs] == [row.spec for row in first.runs]


def test_changing_one_row_changes_its_key_alone(store, coloured, small):
    keys = [row.spec.key for row in plan(store, grid(small)).runs]
    changed = [row.spec.key for row in plan(store, grid(small, b={"epochs": 4})).runs]
    assert changed[0] == keys[0]
    assert changed[1] != keys[1]


def test_weights_are_in_the_store_before_any_experiment_starts(store, coloured, small, tmp_path):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"weights")
    planned = plan(store, grid(small).with_overrides({"weights": str(path)}))
    name = planned.runs[0].spec.config.weights
    assert store.read(name) == b"weights"


def test_two_copies_of_one_weights_file_are_one_experiment(store, coloured, small, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.weights.h5").write_bytes(b"weights")
    rows = {name: {"weights": str(tmp_path / f"{name}.weights.h5")} for name in "ab"}
    with pytest.raises(GridError, match="rows 'a' and 'b' are one experiment"):
        plan(store, grid(small, **rows))


def test_a_missing_dataset_is_named_with_those_there_are(store, coloured, small):
    missing = grid(small).model_copy(update={"dataset": "other"})
    with pytest.raises(ObjectNotFoundError, match=r"dataset is 'other'.*holds coloured"):
        plan(store, missing)


def test_each_distinct_split_is_audited_on_one_reading_of_the_manifest(store, celled, small, monkeypatch):
    readings = []
    monkeypatch.setattr(module, "read_manifest", lambda *where: readings.append(where) or read_manifest(*where))
    rows = {"c": {"dense_units": 16}, "d": {"split": "pooled"}, "e": {"split": "pooled", "test_fraction": 0.999}}
    planned = plan(store, grid(small, **rows).model_copy(update={"dataset": "celled", "seeds": 2}))
    assert [(audit.settings.split, audit.settings.seed) for audit in planned.leakage] == [
        ("source", 0), ("pooled", 0), ("pooled", 1)
    ]  # fmt: skip
    assert [audit.test.leaked > 0 for audit in planned.leakage] == [False, True, True]
    assert len(planned.runs) == 10  # the split that leaves a class without training images fails its own row
    assert len(readings) == 1


@pytest.mark.parametrize(
    ("dataset", "changes", "problem"),
    [
        ("celled", {"split": "pooled"}, "test images and .* validation images with split pooled have a sibling"),
        ("celled", {"split": "folder"}, "^15 of 15 validation images with split folder have a sibling"),
        ("coloured", {}, "the source cells of coloured are not known"),
    ],
)
def test_a_strict_plan_refuses_leakage_and_writes_nothing(
    store, celled, coloured, small, tmp_path, dataset, changes, problem
):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"weights")
    rows = {"c": changes | {"weights": str(path)}}
    leaking = grid(small, **rows).model_copy(update={"dataset": dataset})
    before = set(store.root.rglob("*"))
    with pytest.raises(DatasetError, match=problem):
        plan(store, leaking, strict=True)
    assert set(store.root.rglob("*")) == before
    assert len(plan(store, leaking).runs) == 3


def test_a_strict_plan_accepts_a_split_by_source(store, celled, small):
    held = grid(small).model_copy(update={"dataset": "celled"})
    assert plan(store, held, strict=True) == plan(store, held)
