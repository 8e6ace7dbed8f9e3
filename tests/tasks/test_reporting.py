"""What a grid run asks of the process that makes its report."""

import os
import shutil
import signal
import threading
import time

import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.data import auditing
from bloodcell.errors import DataError
from bloodcell.report import intervals, reading, style
from bloodcell.store import LocalStore
from tasks import reporting
from tasks.report_process import started
from tests.report.conftest import Figures, build


@pytest.fixture
def example(store):
    """A run of two rows, of which the store holds the results."""
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}})
    splits = {"train": 0.9, "validation": 0.8}
    built = build(grid, {"a": Figures(splits | {"test": 0.75}), "b": Figures(splits | {"test": 0.5})})
    for key, result in built.results.items():
        artifacts.write_model(store, artifacts.experiment(key, "result.json"), result)
    return built


def test_a_report_draws_nothing_that_was_drawn_in_its_folder(store, example, tmp_path, monkeypatch):
    drawn = []
    draws = style._drawn
    monkeypatch.setattr(style, "_drawn", lambda *arguments: drawn.append(1) or draws(*arguments))
    for row in example.rows:
        of_row = example.run.model_copy(update={"rows": row.outcomes})
        reporting.draw(store, of_row, example.info, tmp_path)
    ahead = len(drawn)
    assert ahead >= 2 * len(example.rows)
    made = reporting.make_report(store, example.run, example.info, tmp_path)
    assert len(drawn) == ahead + 1  # the comparison
    assert dict(made.files) == dict(example.files)


def test_another_folder_is_another_report(store, example, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        reporting.draw(store, example.run, example.info, tmp_path / name)
    assert len(list((tmp_path / "a" / "charts").iterdir())) == len(list((tmp_path / "b" / "charts").iterdir())) > 0


def test_a_report_whose_process_is_killed_is_made_all_the_same(store, example, tmp_path):
    with started() as process:
        child = process.call(os.getpid)

        def kill() -> None:
            while not (tmp_path / "report").exists():
                time.sleep(0.01)
            os.kill(child, signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        made = process.call(reporting.make_report, store, example.run, example.info, tmp_path)
        killing.join()
    assert dict(made.files) == dict(example.files)


@pytest.fixture(autouse=True)
def _nothing_read(monkeypatch):
    monkeypatch.setattr(reporting, "_audit", reporting._Last())
    monkeypatch.setattr(reporting, "_reading", reporting._Last())


def test_what_was_read_ahead_is_not_read_again_and_the_report_is_the_same(store, example, tmp_path, monkeypatch):
    reporting.read_ahead(store, example.run.rows, example.info)
    monkeypatch.setattr(reading, "read", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(intervals, "resample", lambda *_: pytest.fail("resampled again"))
    made = reporting.make_report(store, example.run, example.info, tmp_path)
    assert dict(made.files) == dict(example.files)


@pytest.mark.parametrize("what", ["a row that failed", "another store", "another dataset"])
def test_what_was_read_ahead_answers_nobody_else(store, example, tmp_path, what):
    run, info = example.run, example.info
    reporting.read_ahead(store, run.rows, info)
    match what:
        case "a row that failed":
            first, second = run.rows
            run = run.model_copy(update={"rows": (first.model_copy(update={"status": "failed"}), second)})
        case "another store":
            store = LocalStore(shutil.copytree(store.root, tmp_path / "other"))
        case "another dataset":
            info = info.model_copy(update={"synthetic": True})
    key = run.rows[1].key
    result = artifacts.read_result(store, key)
    metrics = result.metrics | {"test": result.metrics["test"].model_copy(update={"accuracy": 0.625})}
    changed = result.model_copy(update={"metrics": metrics})
    artifacts.write_model(store, artifacts.experiment(key, "result.json"), changed)
    made = reporting.make_report(store, run, info, tmp_path)
    assert "62.50%" in made.files["report.md"].decode()


def test_splits_are_audited_once_for_a_store_a_dataset_and_configurations(store, celled, small, tmp_path, monkeypatch):
    audited, audit = [], auditing.audit_splits
    monkeypatch.setattr(
        auditing, "audit_splits", lambda *asked, **more: audited.append(asked[1]) or audit(*asked, **more)
    )
    pooled = small.model_copy(update={"split": "pooled"})
    other = LocalStore(shutil.copytree(store.root, tmp_path / "other"))
    asked = [
        (store, celled, [small]),
        (store, celled, [pooled]),
        (other, celled, [pooled]),
        (other, celled.model_copy(update={"synthetic": True}), [pooled]),
    ]
    found = [reporting.audit_dataset(*each) for each in asked for _ in range(2)]
    assert audited == [[small], [pooled], [pooled], [pooled]]
    assert found[0] == found[1] != found[2] == found[3]


def test_what_cannot_be_read_ahead_is_read_when_it_can_be(store, example, tmp_path):
    name = artifacts.experiment(example.run.rows[0].key, "result.json")
    whole = store.read(name)
    store.write(name, b"{")
    with pytest.raises(DataError):
        reporting.read_ahead(store, example.run.rows, example.info)
    store.write(name, whole)
    made = reporting.make_report(store, example.run, example.info, tmp_path)
    assert dict(made.files) == dict(example.files)
