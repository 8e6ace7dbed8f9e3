"""The local stack as a user has it: `make up`, runs, what breaks meanwhile, `make down`. The tests share one stack."""

import subprocess

import psutil
import pytest

from deployments.local.ports import is_free
from deployments.local.processes import FLOW_RUN, PREFECT_SERVER, S3_SERVER, WORKER
from tests.chaos.victims import experiments
from tests.integration.deployments.conftest import ROOT, has_ended

SERVERS = {PREFECT_SERVER, S3_SERVER, WORKER}
LONG = {"epochs": 500}


def is_training(stack) -> bool:
    return " 1/500 " in stack.log()


def test_a_fresh_stack_runs_the_demo_and_its_report_is_fetched(stack, tmp_path):
    parameters = '\'{"epochs": 1, "image_size": 32}\''
    said = stack.type(f"prefect deployment run grid/demo --param overrides={parameters} --watch")
    assert "finished successfully" in said
    fetched = stack.type(f"bloodcell report fetch demo --to {tmp_path}")
    (report,) = tmp_path.rglob("report.html")
    assert str(report) in fetched
    assert report.stat().st_size > 100_000


def test_up_again_starts_nothing_twice(stack):
    before = stack.processes()
    assert set(before) == SERVERS
    again = stack.make("up")
    assert again.returncode == 0, again.stderr
    assert "process" not in again.stdout
    assert stack.processes() == before


def test_the_coming_nights_are_scheduled(stack):
    nights = stack.nights(at_least=3)
    assert {night.parameters["start_within_hours"] for night in nights} == {8}
    assert {night.auto_scheduled for night in nights} == {True}


@pytest.mark.long
def test_a_night_waits_for_the_one_before_and_skips_itself_when_that_took_too_long(stack, small_grid):
    first = stack.start("grid/blood-cell", grid=small_grid, overrides=LONG)
    stack.wait(first, lambda run: is_training(stack))
    second = stack.start("grid/blood-cell", grid=small_grid, start_within_hours=0.002)
    third = stack.start("grid/blood-cell", grid=small_grid)
    for waiting in (second, third):
        stack.wait(waiting, lambda run: run.state.name == "AwaitingConcurrencySlot", seconds=60)
    stack.type(f"prefect flow-run cancel {first}")
    assert stack.wait(first, has_ended, seconds=90).state.is_cancelled()

    skipped = stack.wait(second, has_ended)
    assert (skipped.state.name, skipped.state.is_cancelled()) == ("Skipped", True)
    assert f"Scheduled for {skipped.expected_start_time:%Y-%m-%d %H:%M} UTC" in skipped.state.message
    by_hand = stack.wait(third, has_ended)
    assert by_hand.state.is_completed(), by_hand.state.message


def test_up_after_a_crash_repairs(stack, small_grid):
    lost = stack.start("grid/blood-cell", grid=small_grid, overrides=LONG | {"seed": 1})
    stack.wait(lost, lambda run: experiments(stack.folder))
    orphans = experiments(stack.folder)
    for kind in (PREFECT_SERVER, WORKER):  # the server first: at a power cut nobody tells it of the others
        stack.kill(kind)
    stack.kill(FLOW_RUN, but=orphans)
    status = [ROOT / ".venv/bin/python", "-m", "deployments.local", "--folder", stack.folder, "status"]
    said = subprocess.run(status, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert f"{WORKER:16}does not run" in said.stdout

    repaired = stack.make("up")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "ran when its process was killed" in repaired.stdout
    assert set(stack.processes()) == SERVERS
    assert psutil.wait_procs(orphans, timeout=30)[1] == []  # a forked one sees for itself that its parent is gone
    assert stack.wait(lost, has_ended, seconds=5).state.is_crashed()
    after = stack.wait(stack.start("grid/blood-cell", grid=small_grid), has_ended)  # the slot is free
    assert after.state.is_completed(), after.state.message


def test_down_leaves_nothing_running_and_keeps_the_data(stack, small_grid, tmp_path):
    run_id = stack.start("grid/blood-cell", grid=small_grid, overrides=LONG | {"seed": 2})
    stack.wait(run_id, lambda run: experiments(stack.folder))
    ended = stack.make("down")
    assert ended.returncode == 0, ended.stderr
    assert "cancelling small on synthetic" in ended.stdout
    assert stack.processes() == {}
    assert all(is_free(port) for port in stack.ports)
    assert stack.make("down").returncode == 0

    assert stack.make("up").returncode == 0
    assert stack.wait(run_id, has_ended, seconds=5).state.is_cancelled()
    assert "synthetic@" in stack.type("bloodcell data list")
    assert stack.make("down").returncode == 0
    assert stack.processes() == {}
