"""What is kept of a night that left no report; what is planned from it, tests/tasks/test_plan.py tests."""

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import BegunRuns
from tasks.interrupted import begin


@pytest.fixture
def begun(store):
    """Begins a night, and returns what is kept of it; `others` are those that are kept beside it."""

    def begun(run_id: str, *keys: str, restart: bool = False):
        return begin(store, "g", "night", run_id, keys, restart=restart)

    return begun


def kept(store) -> list[str]:
    return [run.run_id for run in artifacts.read_model(store, artifacts.begun_run("g", "night"), BegunRuns).runs]


def test_a_night_that_goes_on_with_a_restart_is_one(begun):
    assert begun("run-1", "a", "b", restart=True).restart
    assert begun("run-2", "b", "c").restart
    assert begun("run-3", "c", "a", "b").restart


def test_a_restart_of_other_experiments_is_not_gone_on_with(begun):
    begun("run-1", "a", restart=True)
    assert not begun("run-2", "b").restart


def test_a_restart_that_was_published_is_over(store, begun):
    begun("run-1", "a", restart=True)
    store.write(artifacts.grid_run("g", "run-1", "grid.json"), b"{}")
    assert not begun("run-2", "a").restart


def test_what_none_goes_on_with_is_kept_for_some_nights(store, begun):
    begun("run-0", "a", "b")
    begun("run-1", "a", "b", "c")
    assert kept(store) == ["run-1"]
    for number in range(2, 10):
        begun(f"run-{number}", f"key-{number}")
    assert kept(store) == ["run-5", "run-6", "run-7", "run-8", "run-9"]
