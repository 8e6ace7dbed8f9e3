"""A grid on a work pool: what becomes of it when workers, hosts, grid runs and people end before it does."""

import os
import signal
from collections.abc import Iterator

import pytest
from prefect.events.schemas.automations import AutomationCore
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.settings import Settings
from tasks.runners import GridRunId
from tasks.runners.docker.owner import Owner
from tasks.runners.docker.settings import container_settings
from tests.integration.pool.conftest import POOLS

LONG = {"epochs": 2000}
HARDENING = ("ReadonlyRootfs", "Tmpfs", "CapAdd", "CapDrop", "SecurityOpt", "PidsLimit", "ShmSize", "Init", "LogConfig")


def kill(worker) -> None:
    """End a worker as a crash does; its containers live on."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def test_a_grid_of_six_outlives_one_of_two_workers(pool, grid_file):
    before = len(pool.devices())
    run_id = pool.start(grid_file(**{f"dropout-{tenths}": {"dropout": tenths / 10} for tenths in range(6)}))
    pool.prefect.wait(run_id, until=lambda: len(pool.containers()) == 2)
    kill(pool.workers["0"])
    ended = pool.prefect.wait(run_id)
    assert ended.state.is_completed(), ended.state.message
    assert pool.rows() == [(f"dropout-{tenths}", "trained") for tenths in range(6)]
    assert all(artifacts.is_done(pool.store, run.parameters["key"]) for run in pool.children())
    assert pool.runs_of_row() == {f"dropout-{tenths}": 1 for tenths in range(6)}  # the killed worker's own went on
    assert sorted(pool.devices()[before:]) == ["0"] + ["1"] * 5
    pool.prefect.eventually(lambda: pool.containers() == [])


@pytest.mark.long
def test_a_restarted_grid_adopts_what_runs_and_a_row_that_cannot_work_fails_alone(pool, grid_file):
    grid = grid_file(a={"epochs": 300}, b={"batch_size": 1000})
    killed = pool.start(grid)
    pool.prefect.wait(killed, until=lambda: pool.are_training(1) and pool.runs_of_row()["b"])
    pool.kill_grid(killed)
    assert pool.prefect.wait(killed, seconds=60).state.is_crashed()
    assert len(pool.containers()) >= 1
    ended = pool.prefect.wait(pool.start(grid))
    assert ended.state.is_failed()
    assert "b: batch larger than the set" in ended.state.message
    assert pool.rows() == [("a", "trained"), ("b", "failed")]
    assert pool.runs_of_row()["a"] == 1


@pytest.mark.long
def test_cancelling_a_grid_cancels_what_runs_and_what_waits(pool, grid_file):
    run_id = pool.start(grid_file(**{name: LONG | {"dropout": tenths / 10} for tenths, name in enumerate("abc")}))
    pool.prefect.wait(run_id, until=lambda: pool.are_training(2))
    check_hardening(pool)
    pool.prefect.run("flow-run", "cancel", run_id)
    assert pool.prefect.wait(run_id, seconds=90).state.is_cancelled()
    pool.prefect.eventually(lambda: pool.containers() == [])
    pool.prefect.eventually(lambda: all(run.state.is_final() for run in pool.children()))  # told last
    assert {run.state_type.value for run in pool.children()} == {"CANCELLED"}
    assert pool.runs_of_row() == {"a": 1, "b": 1, "c": 1}


def check_hardening(pool) -> None:
    """See that the template gives containers what the runner docker gives them, and no more."""
    run, owner = GridRunId("own", "r", "f"), Owner.this_process()
    settings = Settings(store=pool.store.url, image="bloodcell:tested")
    model = pool.client.containers.create(
        **container_settings(settings, run, owner, key="k", row="r", gpu=None, name="model", environment={})
    )
    try:
        for container in pool.containers():
            given = container.attrs["HostConfig"]
            assert {name: given[name] for name in HARDENING} == {
                name: model.attrs["HostConfig"][name] for name in HARDENING
            }
            assert given["DeviceRequests"][0]["DeviceIDs"] == [container.labels["bloodcell.gpu"]]
            assert not given["Privileged"]
            assert {mount["Destination"] for mount in container.attrs["Mounts"]} == {"/cache"}
            assert container.attrs["Config"]["User"] == model.attrs["Config"]["User"] == "10001:10001"
            assert "secret-of-the-owner" not in str(container.labels)
    finally:
        model.remove()


@pytest.fixture
def lost_run(deployed) -> Iterator[None]:
    """The automation on the server, for experiments alone and with less patience."""
    text = (POOLS.parent / "automations" / "lost_run.yaml").read_text()
    value = YAML(typ="safe", pure=True).load(text)
    assert "experiment" in value["trigger"]["match_related"]["prefect.resource.name"]
    value["trigger"]["match_related"]["prefect.resource.name"] = "experiment"
    value["trigger"]["within"] = 45
    with deployed.client() as client:
        automation = client.create_automation(AutomationCore.model_validate(value))
        yield
        client.delete_automation(automation)


@pytest.mark.long
def test_what_a_lost_host_ran_is_run_anew_elsewhere(pool, grid_file, lost_run):
    run_id = pool.start(grid_file(a=LONG))
    pool.prefect.wait(run_id, until=lambda: pool.are_training(1))
    (container,) = pool.containers()
    kill(pool.workers[container.labels["bloodcell.gpu"]])
    container.kill()
    pool.prefect.wait(run_id, until=lambda: len(pool.children()) == 2)
    pool.prefect.wait(run_id, until=lambda: pool.are_training(1))
    states = {run.state_name: run.state.message for run in pool.children()}
    assert set(states) == {"Crashed", "Running"}
    assert "silent for five minutes" in states["Crashed"]
    pool.prefect.run("flow-run", "cancel", run_id)
    pool.prefect.wait(run_id, seconds=90)
