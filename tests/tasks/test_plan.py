from datetime import UTC, datetime

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, RowOutcome
from bloodcell.config import LAST_SEED, GridConfig
from bloodcell.data import manifest
from bloodcell.data.ingest import push
from bloodcell.data.manifest import read_manifest
from bloodcell.errors import ConfigError, DatasetError, GridError, ObjectNotFoundError
from tasks import plan as module
from tasks import trainings as module_trainings
from tasks.interrupted import begin
from tasks.plan import plan, specify
from tasks.plan_grid import prepare
from tasks.trainings import Lookup


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


@pytest.mark.parametrize("how", ["another grid", "renamed rows", "renamed dataset", "a night", "another order"])
def test_a_result_is_reused_whatever_it_is_asked_for_as(store, coloured, coloured_folder, small, how):
    for run in plan(store, grid(small)).runs:
        store.write(artifacts.experiment(run.spec.key, "result.json"), b"{}")
    again = grid(small)
    rows = again.experiments
    match how:
        case "another grid":
            again = again.model_copy(update={"name": "other"})
        case "renamed rows":
            again = again.model_copy(update={"experiments": {"c": rows["a"], "d": rows["b"]}})
        case "renamed dataset":
            push(store, coloured_folder, name="renamed")
            again = again.model_copy(update={"dataset": "renamed"})
        case "another order":
            again = again.model_copy(update={"experiments": dict(reversed(rows.items()))})
    planned = plan(store, again, another_seed=how == "a night")
    assert [run.done for run in planned.runs] == [True, True] + [False, False] * (how == "a night")


def test_changing_one_row_changes_its_key_alone(store, coloured, small):
    keys = [row.spec.key for row in plan(store, grid(small)).runs]
    changed = [row.spec.key for row in plan(store, grid(small, b={"epochs": 4})).runs]
    assert changed[0] == keys[0]
    assert changed[1] != keys[1]


def test_a_plan_writes_nothing_and_what_experiments_are_given_is_prepared_apart(store, coloured, small, tmp_path):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"weights")
    before = set(store.root.rglob("*"))
    planned = plan(store, grid(small).with_overrides({"weights": str(path)}))
    assert set(store.root.rglob("*")) == before
    prepare(store, list(planned.runs))
    assert store.read(planned.runs[0].spec.config.weights) == b"weights"
    for run in planned.runs:
        assert artifacts.read_spec(store, run.spec.key) == run.spec


def test_two_copies_of_one_weights_file_are_one_experiment(store, coloured, small, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.weights.h5").write_bytes(b"weights")
    rows = {name: {"weights": str(tmp_path / f"{name}.weights.h5")} for name in "ab"}
    for told in (plan, specify):
        with pytest.raises(GridError, match="rows 'a' and 'b' are one experiment"):
            told(store, grid(small, **rows))


def test_a_missing_dataset_is_named_with_those_there_are(store, coloured, small):
    missing = grid(small).model_copy(update={"dataset": "other"})
    for told in (plan, specify):
        with pytest.raises(ObjectNotFoundError, match=r"dataset is 'other'.*holds coloured"):
            told(store, missing)


def test_each_distinct_split_is_audited_on_one_reading_of_the_manifest(store, celled, small, monkeypatch):
    readings = []
    monkeypatch.setattr(manifest, "read_manifest", lambda *where: readings.append(where) or read_manifest(*where))
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
    for told in (plan, specify):
        with pytest.raises(DatasetError, match=problem):
            told(store, leaking, strict=True)
    assert set(store.root.rglob("*")) == before
    assert len(plan(store, leaking).runs) == 3


def test_a_strict_plan_accepts_a_split_by_source(store, celled, small):
    held = grid(small).model_copy(update={"dataset": "celled"})
    assert plan(store, held, strict=True) == plan(store, held)


@pytest.fixture
def run(store, coloured, small):
    """Plans a run of a kind and does what it plans: all of it and the report, or the first so many trainings alone."""
    number = 10  # of two digits, as ids are compared as text

    def outcome(training) -> RowOutcome:
        status = "reused" if training.done and not training.resumed else "trained"
        failed = not store.exists(artifacts.experiment(training.spec.key, "result.json"))
        return RowOutcome(
            name=training.row.name,
            key=training.spec.key,
            config=training.spec.config,
            changed=training.row.changed,
            status="failed" if failed else status,
        )

    def published(planned) -> GridRun:
        return GridRun(
            run_id=f"run-{number}",
            grid=planned.grid,
            dataset=planned.dataset.name,
            dataset_version=planned.dataset.version,
            code_version="c" * 16,
            rows=tuple(map(outcome, planned.runs)),
            started=datetime(2026, 1, 1, tzinfo=UTC),
            finished=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def run(kind="night", *, only=None, failing=(), name="g", rows=None, first=0, seeds=1):
        nonlocal number
        number += 1
        base = small.model_dump(exclude_defaults=True) | {"seed": first}
        rows = rows or {"a": {}, "b": B}
        own = GridConfig(name=name, dataset="coloured", base=base, experiments=rows, seeds=seeds)
        planned = plan(store, own, force=kind == "forced", another_seed=kind == "night")
        begun = [training.spec.key for training in planned.runs if training.resumed or not training.done]
        if kind:
            begin(store, name, kind, f"run-{number}", begun)
        to_train = [training for training in planned.runs if not training.done]
        for training in to_train[:only]:
            if training.row.name not in failing:
                store.write(artifacts.experiment(training.spec.key, "result.json"), b"{}")
        if only is None:
            artifacts.write_model(store, artifacts.grid_run(name, f"run-{number}", "grid.json"), published(planned))
        return planned

    return run


B = {"epochs": 3}


def trainings(planned, *, done=False, resumed=False) -> list[tuple[str, int]]:
    """Row and seed of what is to be trained; or of what is done, of another run or of the interrupted one."""
    return [(it.row.name, it.row.config.seed) for it in planned.runs if (it.done, it.resumed) == (done, resumed)]


def test_a_night_goes_on_to_the_seed_after_those_that_any_row_has(run):
    run("", seeds=3)
    night = run()
    assert trainings(night) == [("a", 3), ("b", 3)]
    assert len(trainings(night, done=True)) == 6
    assert (night.grid.seeds, night.runs[-1].name) == (4, "b seed 3")


def test_a_first_night_trains_the_seeds_that_the_grid_asks_for_and_the_next_ones_one_more(run):
    assert trainings(run(seeds=2)) == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
    assert trainings(run(seeds=2)) == [("a", 2), ("b", 2)]


def test_a_crash_of_the_last_night_is_made_good_and_a_row_that_always_fails_costs_two_trainings(run):
    for _ in range(3):
        run()
    run(failing="b")
    assert trainings(run()) == [("b", 3), ("a", 4), ("b", 4)]
    for _ in range(3):
        run(failing="b")
    assert trainings(run(failing="b")) == [("b", 7), ("a", 8), ("b", 8)]


def test_a_new_row_closes_the_gap_by_a_seed_a_night(run):
    for _ in range(5):
        run()
    rows = {"new": {"epochs": 4}, "a": {}, "b": B}
    assert trainings(run(rows=rows)) == [("new", 4), ("new", 5), ("a", 5), ("b", 5)]
    assert trainings(run(rows=rows)) == [("new", 3), ("new", 6), ("a", 6), ("b", 6)]
    for _ in range(3):
        run(rows=rows)
    assert trainings(run(rows=rows)) == [("new", 10), ("a", 10), ("b", 10)]


def test_an_interrupted_night_goes_on_with_its_seed_until_it_is_published(run):
    run()
    run(only=1)
    again = run(only=0)
    assert (trainings(again), trainings(again, resumed=True, done=True)) == ([("b", 1)], [("a", 1)])
    third = run()
    assert (trainings(third), trainings(third, resumed=True, done=True)) == ([("b", 1)], [("a", 1)])
    following = run()
    assert (trainings(following), trainings(following, resumed=True, done=True)) == ([("a", 2), ("b", 2)], [])
    assert len(trainings(following, done=True)) == 4


def test_an_interrupted_night_had_caught_up_with_an_earlier_seed(run):
    run()
    run(failing="b")
    run(only=1)
    again = run()
    assert trainings(again, resumed=True, done=True) == [("b", 1)]
    assert trainings(again) == [("a", 2), ("b", 2)]


def test_a_night_that_trained_all_and_was_not_published_is_still_tonight(run):
    run()
    run(only=2)
    again = run()
    assert (trainings(again), trainings(again, resumed=True, done=True)) == ([], [("a", 1), ("b", 1)])


@pytest.mark.parametrize("other", [{"name": "other", "seeds": 2}, {"seeds": 2}], ids=["another grid", "a plain run"])
def test_what_another_run_trained_is_no_interrupted_night(run, other):
    run()
    run("", only=1, **other)
    night = run()
    assert (trainings(night), trainings(night, resumed=True, done=True)) == ([("b", 1), ("a", 2), ("b", 2)], [])


def test_an_interrupted_night_of_other_settings_is_not_gone_on_with(run):
    run()
    run(only=1)
    rows = {"a": {"epochs": 5}, "b": {"epochs": 6}}
    assert trainings(run(rows=rows)) == [("a", 0), ("b", 0)]


def test_a_night_of_other_settings_between_takes_nothing_from_an_interrupted_one(run):
    run()
    run(only=1)
    run(rows={"a": {"epochs": 5}, "b": {"epochs": 6}})
    again = run()
    assert (trainings(again), trainings(again, resumed=True, done=True)) == ([("b", 1)], [("a", 1)])


def test_what_a_plain_run_has_reported_since_is_no_more_the_interrupted_nights(run):
    run()
    run(only=0)
    run("", seeds=2)
    night = run()
    assert (trainings(night), trainings(night, resumed=True, done=True)) == ([("a", 2), ("b", 2)], [])


def test_what_was_trained_anew_since_counts_before_an_interrupted_nights(run):
    run()
    run(only=1)
    run("forced", only=1, seeds=2)
    run("forced", seeds=2)
    night = run()
    assert trainings(night, resumed=True, done=True) == []


def test_a_forced_run_does_not_go_on_with_what_was_reported_since(run):
    run("")
    run("forced", only=1)
    run("")
    forced = run("forced")
    assert [training.spec.repeat for training in forced.runs] == [2, 1]
    assert len(trainings(forced)) == 2


def test_an_interrupted_forced_run_goes_on_with_its_repeat(run):
    run("")
    run("forced", only=1)
    again = run("forced")
    assert [training.spec.repeat for training in again.runs] == [1, 1]
    assert (trainings(again), trainings(again, resumed=True, done=True)) == ([("b", 0)], [("a", 0)])
    third = run("forced")
    assert [training.spec.repeat for training in third.runs] == [2, 2]
    assert len(trainings(third)) == 2


def test_a_forced_run_trains_anew_what_an_interrupted_night_had(run):
    run(only=1)
    forced = run("forced")
    assert [(training.spec.repeat, training.done) for training in forced.runs] == [(1, False), (0, False)]


def test_a_night_is_not_forced(run, store, coloured, small):
    for told in (plan, specify):
        with pytest.raises(ConfigError, match="force and nightly are both set"):
            told(store, grid(small), force=True, another_seed=True)


def test_what_only_specifies_looks_for_no_result_and_reads_no_manifest(store, celled, small, monkeypatch):
    monkeypatch.delattr(module, "Lookup")
    monkeypatch.delattr(manifest, "read_manifest")
    own = grid(small).model_copy(update={"dataset": "celled"})
    specify(store, own)
    specify(store, own, another_seed=True)


def test_all_seeds_of_a_plain_run_and_many_of_a_night_are_looked_up_at_once(run, monkeypatch):
    asked = []
    seeds = Lookup.seeds
    monkeypatch.setattr(
        Lookup, "seeds", lambda self, numbers, **how: asked.append(len(numbers)) or seeds(self, numbers, **how)
    )
    run("", seeds=20)
    assert asked == [20]
    assert trainings(run()) == [("a", 20), ("b", 20)]
    assert asked == [20, 1, 2, 4, 8, 16, 0]


@pytest.mark.parametrize(("first", "most"), [(0, 2), (LAST_SEED - 1, 1000)])
def test_a_night_ends_at_the_last_seed_with_a_remedy(run, monkeypatch, first, most):
    monkeypatch.setattr(module_trainings, "MOST_SEEDS", most)
    for _ in range(2):
        run(first=first)
    with pytest.raises(GridError, match=f"'g' has results of 2 seeds from {first} on") as caught:
        run(first=first)
    assert "another first seed" in caught.value.remedy
