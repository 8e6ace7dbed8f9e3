"""The flow that a work pool runs, here in this process; and a grid on a work pool with a real worker."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import PREFECT_API_URL
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import GridRun
from bloodcell.errors import ConfigError
from flows.experiment import experiment
from flows.grid.flow import grid
from tasks.runners.base import error_of
from tasks.runners.work_pool.ending import exit_of


def test_it_runs_an_experiment_once(store, settings, spec):
    state = experiment(spec.key, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Trained")
    finished = artifacts.read_result(store, spec.key).finished
    state = experiment(spec.key, return_state=True)
    assert (state.type.value, state.name) == ("COMPLETED", "Reused")
    assert artifacts.read_result(store, spec.key).finished == finished


def test_the_store_of_its_parameter_goes_before_the_environment_s(store, settings, spec, monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODCELL_STORE", f"file://{tmp_path / 'empty'}")
    assert experiment(spec.key, store=store.url, return_state=True).name == "Trained"
    assert artifacts.is_done(store, spec.key)


def test_a_failed_experiment_says_why_in_its_state(store, settings, spec):
    config = spec.config.model_copy(update={"batch_size": 1000})
    bad = spec.model_copy(update={"config": config})
    artifacts.write_model(store, artifacts.experiment(bad.key, "config.json"), bad)
    state = experiment(bad.key, return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "BadConfig")
    error = error_of(exit_of(state))
    assert type(error) is ConfigError
    assert "batch larger than the set" in error.problem
    assert error.remedy.startswith("set batch_size to")


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [("BLOODCELL_STORE", "ftp://somewhere", "BadConfig"), ("BLOODCELL_STORE", "file://nowhere", "BadData")],
)
def test_so_does_one_that_cannot_begin(settings, monkeypatch, tmp_path, variable, value, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    state = experiment("no-such-key", return_state=True)
    assert (state.type.value, state.name) == ("FAILED", name)
    assert "Remedy: " in state.message


@pytest.fixture
def worker(settings, prefect_server, tmp_path) -> Iterator[None]:
    """A worker of the work pool to which experiment/pool is deployed."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name="hosts", type="process"))
        client.create_deployment(
            client.create_flow_from_name("experiment"), "pool",
            work_pool_name="hosts", entrypoint="flows.experiment.experiment",
        )  # fmt: skip
    environment = os.environ | {
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "hosts", "--type", "process"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        yield
        process.terminate()


def test_a_grid_on_a_work_pool(store, settings, coloured, small, worker, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("BLOODCELL_RUNNER", "work_pool")
    file = tmp_path / "own.yaml"
    base = small.model_dump(exclude_defaults=True) | {"epochs": 1}
    YAML().dump(
        {"name": "own", "dataset": "coloured", "base": base, "experiments": {"a": {}, "b": {"batch_size": 1000}}}, file
    )
    state = grid(grid=str(file), return_state=True)
    run = state.result(raise_on_failure=False)
    assert isinstance(run, GridRun)
    assert [(row.name, row.status, row.exit_code) for row in run.rows] == [("a", "trained", 0), ("b", "failed", 78)]
    assert "batch larger than the set" in run.rows[1].reason
    assert "Remedy: set batch_size to" in run.rows[1].reason
