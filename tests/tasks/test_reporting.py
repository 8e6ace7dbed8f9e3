"""What a grid run asks of the process that makes its report."""

import os
import signal
import threading
import time

import pytest

from bloodcell import artifacts
from bloodcell.config import GridConfig
from bloodcell.report import style
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
