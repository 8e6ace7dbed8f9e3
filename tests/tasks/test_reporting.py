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
from bloodcell.report import reading, style
from bloodcell.store import LocalStore
from tasks import reporting
from tasks.plan import plan
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


@pytest.fixture
def done(store, celled, small):
    """A grid of two rows that have their results, and the run that finds them so."""
    rows = {"a": {}, "b": {"dense_units": 16}}
    grid = GridConfig(name="g", dataset="celled", base=small.model_dump(exclude_defaults=True), experiments=rows)
    planned = plan(store, grid)
    splits = {"train": 0.9, "validation": 0.8}
    built = build(grid, {"a": Figures(splits | {"test": 0.75}), "b": Figures(splits | {"test": 0.5})})
    for run, result in zip(planned.runs, built.results.values(), strict=True):
        found = result.model_copy(update={"key": run.spec.key, "spec": run.spec})
        artifacts.write_model(store, artifacts.experiment(run.spec.key, "result.json"), found)
    reused = plan(store, grid)
    return grid, reused, built.run.model_copy(update={"rows": reused.in_order(run.outcome() for run in reused.runs)})


def audited(store, planned):
    return reporting.audit_dataset(store, planned.dataset, [run.row.config for run in planned.runs])


def test_what_was_read_ahead_is_not_read_again_and_the_report_is_the_same(store, done, tmp_path, monkeypatch):
    grid, planned, run = done
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    without = reporting.make_report(store, run, planned.dataset, tmp_path / "without")
    reporting.read_ahead(store, grid)
    monkeypatch.setattr(reading, "read", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr(auditing, "audit_splits", lambda *_, **__: pytest.fail("audited again"))
    assert audited(store, planned) == planned.leakage
    made = reporting.make_report(store, run, planned.dataset, tmp_path / "with")
    assert dict(made.files) == dict(without.files)
    assert made.shown.table == without.shown.table


@pytest.mark.parametrize("what", ["a row that failed", "another store", "another dataset"])
def test_what_was_read_ahead_answers_nobody_else(store, done, tmp_path, what):
    grid, planned, run = done
    reporting.read_ahead(store, grid)
    info = planned.dataset
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
    artifacts.write_model(
        store, artifacts.experiment(key, "result.json"), result.model_copy(update={"metrics": metrics})
    )
    made = reporting.make_report(store, run, info, tmp_path)
    assert "62.50%" in made.files["report.md"].decode()


def test_nothing_is_read_ahead_of_a_grid_that_lacks_a_result(store, done):
    grid, planned, _ = done
    reporting.read_ahead(store, grid)
    (store.root / artifacts.experiment(planned.runs[0].spec.key, "result.json")).unlink()
    reporting.read_ahead(store, grid)
    assert reporting._ahead == []
