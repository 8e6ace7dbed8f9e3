"""The flow on a real Prefect server, with real experiments in child processes."""

from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import LatestRun
from bloodcell.errors import ObjectNotFoundError
from flows.grid import exit_code
from flows.grid import grid as grid_flow


@pytest.fixture
def grid_file(tmp_path: Path, small):
    def write(**experiments) -> str:
        path = tmp_path / "own.yaml"
        base = small.model_dump(exclude_defaults=True) | {"epochs": 1}
        YAML().dump({"name": "own", "dataset": "coloured", "base": base, "experiments": experiments}, path)
        return str(path)

    return write


def latest_run(store):
    pointer = artifacts.read_model(store, artifacts.latest_grid_run("own"), LatestRun)
    return artifacts.read_grid_run(store, "own", pointer.run_id)


def statuses(store) -> dict[str, str]:
    return {row.name: row.status for row in latest_run(store).rows}


def test_a_grid_trains_once_reuses_and_reports_failures(store, settings, coloured, grid_file):
    state = grid_flow(grid=grid_file(a={}, b={"dense_units": 16}), return_state=True)
    assert state.is_completed()
    assert statuses(store) == {"a": "trained", "b": "trained"}
    run = latest_run(store)
    files = {name.rpartition(run.run_id + "/")[2] for name in store.list(f"grids/own/{run.run_id}/")}
    assert {"report.md", "report.html", "results.csv", "grid.json", "plots/comparison.png"} <= files
    assert state.result() == run
    assert f"{run.run_id}/report.html" in state.message
    finished = {row.key: artifacts.read_result(store, row.key).finished for row in run.rows}

    # A changed row retrains alone; a row that cannot work fails alone, and the report marks it.
    state = grid_flow(grid=grid_file(a={}, b={"dense_units": 32}, c={"batch_size": 1000}), return_state=True)
    assert state.is_failed()
    assert "1 of 3 experiments failed" in state.message
    assert "c: batch larger than the set" in state.message
    assert "Remedy: set batch_size to" in state.message
    assert exit_code(latest_run(store)) == 78
    assert statuses(store) == {"a": "reused", "b": "trained", "c": "failed"}
    run = latest_run(store)
    assert artifacts.read_result(store, run.rows[0].key).finished == finished[run.rows[0].key]
    report = store.read(artifacts.grid_run("own", run.run_id, "report.md")).decode()
    assert "batch larger than the set" in report
    names = _task_names(state.state_details.flow_run_id)
    assert {"a", "b", "c"} <= names


def _task_names(flow_run_id) -> set[str]:
    with get_client(sync_client=True) as client:
        return {
            run.name
            for run in client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))
        }


def test_a_missing_dataset_fails_the_flow_before_anything_runs(store, settings, grid_file):
    state = grid_flow(grid=grid_file(a={}), return_state=True)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), ObjectNotFoundError)
    assert list(store.list("experiments/")) == []


def test_a_result_that_cannot_be_read_fails_its_row_and_not_the_report(store, settings, coloured, grid_file):
    grid_flow(grid=grid_file(a={}), return_state=True)
    key = latest_run(store).rows[0].key
    store.write(artifacts.experiment(key, "result.json"), b"{")
    state = grid_flow(grid=grid_file(a={}), return_state=True)
    assert state.is_failed()
    assert statuses(store) == {"a": "failed"}
    assert "result.json" in latest_run(store).rows[0].reason
