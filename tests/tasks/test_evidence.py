"""What is read of the store to explain a plan."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec, GridRun, LatestRun, RowOutcome
from bloodcell.checkpoints import Checkpoint, Checkpoints, Progress
from bloodcell.config import GridConfig
from bloodcell.holder import Holder
from tasks.evidence import (
    REPORTS,
    epochs_over,
    learned,
    newest_reports,
    read_precedents,
    reasons_to_train,
    unfinished,
)
from tasks.learning_time import Learned
from tasks.plan import PlannedRun

GRID = GridConfig(name="g", base={"backbone": "MobileNet"}, experiments={"a": {}, "b": {"dense_units": 16}})


def spec(row, seed: int = 0) -> ExperimentSpec:
    config = row.config.model_copy(update={"seed": seed})
    return ExperimentSpec(config=config, dataset="cells", dataset_version="1" * 16, code_version="c" * 12)


@pytest.fixture
def publish(store):
    """Publishes a report of both rows with a seed, and their times."""

    def publish(number: int, *, seed: int = 0, **fields) -> str:
        run_id = f"20261101T{number:06}Z-abcdef"
        specs = [(row, spec(row, seed)) for row in GRID.rows]
        rows = tuple(
            RowOutcome(name=row.name, key=own.key, config=own.config, changed=row.changed, status="trained")
            for row, own in specs
        )
        now = datetime(2026, 11, 1, tzinfo=UTC)
        run = GridRun(
            run_id=run_id, grid=GRID, dataset="cells", dataset_version="1" * 16, code_version="c" * 12, rows=rows,
            started=now, finished=now,
        )  # fmt: skip
        lines = "".join(f"{row.name},{row.key},{number}.5\n" for row in rows)
        store.write(artifacts.grid_run("g", run_id, "runs.csv"), f"row,key,learning_seconds\n{lines}c,0,\n".encode())
        artifacts.write_model(store, artifacts.grid_run("g", run_id, "grid.json"), run.model_copy(update=fields))
        artifacts.write_model(store, artifacts.latest_grid_run("g"), LatestRun(run_id=run_id))
        return run_id

    return publish


def test_a_grid_without_a_report_has_no_precedents_and_no_other_grid_is_looked_at(store, publish, monkeypatch):
    publish(1)
    monkeypatch.setattr(type(store), "list", None)
    assert newest_reports(store, "other") == []
    assert read_precedents(store, []).by_key == {}
    assert learned(store, []) == {}


def test_so_many_reports_are_read_and_the_newest(store, publish, monkeypatch):
    runs = [publish(number, seed=number) for number in range(REPORTS + 5)]
    reads: Counter[str] = Counter()
    read = type(store).read
    monkeypatch.setattr(type(store), "read", lambda self, name: reads.update([name]) or read(self, name))
    reports = newest_reports(store, "g")
    precedents = read_precedents(store, reports)
    took = learned(store, reports)
    assert sum(reads.values()) == 2 * REPORTS
    assert [report.run_id for report in reports] == runs[: -REPORTS - 1 : -1]
    assert set(precedents.trained_in.values()) == set(runs[-REPORTS:])
    newest = spec(GRID.rows[0], REPORTS + 4)
    assert precedents.trained_in[newest.key] == runs[-1]
    assert took[newest.key] == Learned(REPORTS + 4.5)


def test_a_report_that_cannot_be_read_is_passed_over(store, publish):
    publish(1)
    broken = publish(2, seed=1)
    for file in ("grid.json", "runs.csv"):
        store.write(artifacts.grid_run("g", broken, file), b"\xff{")
    reports = newest_reports(store, "g")
    assert set(read_precedents(store, reports).by_key) == {spec(row).key for row in GRID.rows}
    assert set(learned(store, reports)) == {spec(row).key for row in GRID.rows}


@pytest.mark.parametrize(
    ("columns", "values", "epochs", "images"),
    [
        ("epochs_run,learning_seconds,train_images", "7,60.5,100", 7, 100),
        ("epochs_run,learning_seconds", "7,60.5", 7, None),
        ("learning_seconds", "60.5", None, None),
        ("epochs_run,learning_seconds,train_images", ",60.5,", None, None),
        ("epochs_run,learning_seconds,train_images", "0,60.5", None, None),
    ],
)
def test_what_a_report_does_not_tell_of_a_training_is_not_known(store, publish, columns, values, epochs, images):
    table = f"row,key,{columns}\na,k,{values}\nb,failed\n"
    store.write(artifacts.grid_run("g", publish(1), "runs.csv"), table.encode())
    assert learned(store, newest_reports(store, "g")) == {"k": Learned(60.5, epochs, images)}


def test_of_a_training_in_several_reports_the_newest_counts(store, publish):
    for number, epochs in ((1, ""), (2, "7")):
        table = f"key,epochs_run,learning_seconds\nk,{epochs},60.5\n".encode()
        store.write(artifacts.grid_run("g", publish(number), "runs.csv"), table)
    assert learned(store, newest_reports(store, "g")) == {"k": Learned(60.5, 7)}


def test_what_was_begun_is_seen_and_what_was_only_planned_is_not(store, publish):
    publish(1)
    precedents = read_precedents(store, newest_reports(store, "g"))
    row = GRID.rows[0]
    to_train = [PlannedRun(f"a seed {seed}", row, spec(row, seed), done=False) for seed in (1, 2, 3, 4)]
    for run in to_train[:3]:
        artifacts.write_model(store, artifacts.experiment(run.spec.key, "config.json"), run.spec)
    interrupted, held = to_train[0].spec.key, to_train[1].spec.key
    progress = Progress(epoch=1, step=7, history=(), seconds=1, epoch_seconds=1, epoch_waiting=0, patience=None)
    Checkpoints(store, interrupted).write(Checkpoint(progress, {}))
    holder = Holder.this_process()
    artifacts.write_model(store, artifacts.lease(held, "000001.json"), holder)
    begun = unfinished(store, to_train)
    assert epochs_over(begun) == {interrupted: 1}
    assert list(reasons_to_train(to_train, precedents, begun).values()) == [
        ("interrupted; goes on in epoch 2, after step 7 of it",),
        (f"begun by process {holder.process} on {holder.host}, which may be training it now",),
        ("new seed",),
        ("new seed",),
    ]
    artifacts.write_model(store, artifacts.lease(held, "000001.json"), holder.model_copy(update={"given_back": True}))
    assert reasons_to_train(to_train, precedents, unfinished(store, to_train))[held] == ("new seed",)
