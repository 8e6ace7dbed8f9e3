"""What the task `plan` hands on, beside what `tasks.plan` decides."""

from collections import Counter

import pytest
from prefect.logging import disable_run_logger

from bloodcell import artifacts
from bloodcell.checkpoints import Checkpoint, Checkpoints, Progress
from bloodcell.config import GridConfig
from tasks.plan import plan
from tasks.plan_grid import plan_grid


@pytest.fixture
def grid(small):
    base = small.model_dump(exclude_defaults=True) | {"epochs": 9}
    return GridConfig(name="g", dataset="coloured", base=base, experiments={"a": {}, "b": {"dense_units": 4}})


def test_what_goes_on_from_a_checkpoint_is_planned_with_the_epochs_that_are_over(store, coloured, grid, monkeypatch):
    begun = plan(store, grid).runs[1].spec
    artifacts.write_model(store, artifacts.experiment(begun.key, "config.json"), begun)
    progress = Progress(epoch=7, step=2, history=(), seconds=1, epoch_seconds=1, epoch_waiting=0, patience=None)
    Checkpoints(store, begun.key).write(Checkpoint(progress, {}))
    lists: Counter[str] = Counter()
    look = type(store).list
    monkeypatch.setattr(type(store), "list", lambda self, *names: lists.update(names) or look(self, *names))
    with disable_run_logger():
        planned = plan_grid.fn(store, grid, "run-1")
        assert planned.over == {begun.key: 7}
        assert max(lists.values()) == 1  # looked for once, for the reasons and for the packing
        store.write(artifacts.experiment(begun.key, "result.json"), b"{}")
        assert plan_grid.fn(store, grid, "run-2").over == {}
