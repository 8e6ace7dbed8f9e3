"""A grid as users run it: `prefect deployment run`, experiments in containers, data and artifacts in a bucket."""

import os
import signal
import subprocess
import sys
import time

from click.testing import CliRunner
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun
from bloodcell.cli import cli
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import OWNER_LABEL
from tests.integration.engine import most_at_once

LONG = {"epochs": 500}


def latest_run(store) -> GridRun:
    pointer = artifacts.read_model(store, artifacts.latest_grid_run("own"), LatestRun)
    return artifacts.read_model(store, artifacts.grid_run("own", pointer.run_id, "grid.json"), GridRun)


def logs_of(host, run_id: str) -> str:
    with host.prefect.client() as client:
        lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])), limit=200)
    return "\n".join(line.message for line in lines)


def is_training(host) -> bool:
    """Whether every container on the engine is past its first epoch."""
    containers = host.experiments()
    return len(containers) == 2 and all(b'"event":"epoch"' in container.logs() for container in containers)


def test_three_experiments_and_their_report(host, grid_file, s3_server, tmp_path):
    run_id = host.start(grid_file(a={}, b={"dense_units": 16}, c={"dropout": 0.2}))
    run = host.prefect.wait(run_id)
    assert run.state.is_completed(), run.state.message
    rows = latest_run(host.store).rows
    assert {row.name: row.status for row in rows} == {"a": "trained", "b": "trained", "c": "trained"}
    assert host.experiments() == []
    assert sum(map(len, host.uses().values())) == 3
    logs = logs_of(host, run_id)
    assert "c ████████████████████ 2/2" in logs
    assert not [value for value in s3_server.environment.values() if value.startswith("secret") and value in logs]

    fetched = CliRunner().invoke(cli, ["report", "fetch", "own", "--to", str(tmp_path)], catch_exceptions=False)
    (report,) = tmp_path.rglob("report.html")
    assert str(report) in fetched.output
    assert len(list(report.parent.glob("plots/*.png"))) >= 4

    again = host.prefect.wait(host.start(grid_file(a={}, b={"dense_units": 16}, c={"dropout": 0.2})))
    assert again.state.is_completed()
    assert {row.status for row in latest_run(host.store).rows} == {"reused"}
    assert sum(map(len, host.uses().values())) == 3


def test_two_grid_runs_at_once_use_each_gpu_once_at_a_time(host, grid_file):
    grids = [grid_file(a={"dropout": tenths / 10}, b={"dropout": 0.2 + tenths / 10}) for tenths in (4, 5)]
    ids = [
        host.start(grid, deployment) for grid, deployment in zip(grids, ("grid/blood-cell", "grid/demo"), strict=True)
    ]
    runs = [host.prefect.wait(id_) for id_ in ids]
    assert [run.state.is_completed() for run in runs] == [True, True], [run.state.message for run in runs]
    assert max(run.start_time for run in runs) < min(run.end_time for run in runs)  # at once
    uses = host.uses()
    assert sorted(uses) == ["0", "1"]
    assert [most_at_once(times) for times in uses.values()] == [1, 1]
    assert most_at_once([*uses["0"], *uses["1"]]) == 2
    assert sum(map(len, uses.values())) == 4


def test_cancelling_stops_every_experiment_and_frees_every_slot(host, grid_file):
    run_id = host.start(grid_file(a=LONG, b=LONG | {"dropout": 0.1}, c=LONG | {"dropout": 0.2}))
    host.prefect.wait(run_id, until=lambda: is_training(host))
    host.prefect.run("flow-run", "cancel", run_id)
    assert host.prefect.wait(run_id, seconds=60).state.is_cancelled()
    host.prefect.eventually(lambda: host.experiments() == [])
    after = host.prefect.wait(host.start(grid_file(a={}, b={"dropout": 0.1})))
    assert after.state.is_completed(), after.state.message


def test_what_a_killed_grid_run_left_is_gone_after_the_next_start(host, grid_file):
    run_id = host.start(grid_file(a=LONG, b=LONG | {"dropout": 0.1}))
    host.prefect.wait(run_id, until=lambda: is_training(host))
    (owner,) = {Owner.model_validate_json(item.labels[OWNER_LABEL]).pid for item in host.experiments()}
    os.kill(owner, signal.SIGKILL)
    assert host.prefect.wait(run_id, seconds=60).state.is_crashed()
    assert len(host.experiments()) == 2

    next_id = host.start(grid_file(c={}, d={"dropout": 0.1}))
    after = host.prefect.wait(next_id)
    assert after.state.is_completed(), after.state.message
    assert host.experiments() == []
    assert logs_of(host, next_id).count("the grid run that started it is gone") == 2


def test_ctrl_c_leaves_no_container(host, grid_file, tmp_path):
    """The command of the README without a server of one's own: Ctrl-C ends its temporary server too."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-m", "flows.grid", "--grid", grid_file(a=LONG, b=LONG | {"dropout": 0.1})]
    with subprocess.Popen(
        command, env=own | {"PREFECT_HOME": str(tmp_path / "prefect")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 300
        while not is_training(host):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        assert process.wait(60) == 130
    assert host.experiments() == []
