"""Every end that a container can come to, on a real engine."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bloodcell.errors import BloodcellError, ConfigError, DataError, DeviceMemoryError, StoppedError, TransientError
from bloodcell.events import Epoch
from tasks.runners.base import error_of
from tasks.runners.docker.settings import LABEL

ORCHESTRATOR = """
import sys
from bloodcell.settings import Settings
from tasks.runners.base import GridRunId
from tasks.runners.docker import DockerRunner
settings = Settings(**__import__("json").loads(sys.argv[1]))
DockerRunner(settings, GridRunId("g", "r", "f")).run(sys.argv[2], "row", print, lambda line: print(line, flush=True))
"""


def orchestrator(double: str, key: str, **fields) -> "subprocess.Popen[str]":
    """Another grid run, in a process of its own, that runs one experiment."""
    settings = {"store": "s3://bucket", "image": double, "network": "host", "threads": 1, "grace": 2} | fields
    command = [sys.executable, "-c", ORCHESTRATOR, json.dumps(settings), key]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy())


def experiments(client) -> list:
    return client.containers.list(all=True, filters={"label": LABEL})


def test_what_an_experiment_prints_is_told_apart_and_nothing_is_left(make_runner, engine_client):
    events, lines = [], []
    runner = make_runner()
    runner.prepare(print)
    ended = runner.run("talk", "basic", events.append, lines.append)
    assert ended.code == 0
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2]
    assert sorted(lines) == ["a plain line", "to stderr"]
    assert experiments(engine_client) == []


def test_a_failure_is_the_experiments_own(make_runner):
    error = error_of(make_runner().run("bad", "basic", print, print))
    assert type(error) is DataError
    assert str(error) == "bad data\n  Remedy: mend it"


def test_memory_beyond_the_limit(make_runner):
    with pytest.raises(DeviceMemoryError, match=r"needed more than its limit, 64m") as caught:
        make_runner(memory="64m").run("eat", "basic", print, print)
    assert "raise BLOODCELL_MEMORY" in caught.value.remedy


def test_a_run_that_takes_too_long_is_stopped(make_runner, engine_client):
    lines = []
    with pytest.raises(ConfigError, match=r"ran longer than the 1 s that it may") as caught:
        make_runner(time_limit=1).run("hang", "basic", print, lines.append)
    assert "asked to stop" in lines  # what it printed last
    assert "BLOODCELL_TIME_LIMIT" in caught.value.remedy
    assert experiments(engine_client) == []


def test_one_that_falls_silent_is_stopped_and_worth_another_attempt(make_runner, engine_client):
    with pytest.raises(TransientError, match=r"said nothing for 2 s, .*; its last line: hanging"):
        make_runner(stall_limit=2).run("hang", "basic", print, print)
    assert experiments(engine_client) == []


def test_one_that_takes_longer_than_silence_may_is_left_alone_while_it_talks(make_runner):
    lines = []
    assert make_runner(stall_limit=2).run("count", "basic", print, lines.append).code == 0
    assert len(lines) == 200  # in ten seconds


@pytest.mark.parametrize(("key", "grace", "within"), [("hang", 25, 20), ("deaf", 1, 15)])
def test_stop_sends_sigterm_and_after_the_grace_time_sigkill(make_runner, engine_client, key, grace, within):
    runner = make_runner(grace=grace)
    begun = threading.Event()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(runner.run, key, "basic", print, lambda line: begun.set())
        assert begun.wait(20)
        began = time.monotonic()
        runner.stop()
        with pytest.raises(StoppedError):
            running.result(timeout=60)
    assert time.monotonic() - began < within
    assert experiments(engine_client) == []
    with pytest.raises(StoppedError):
        runner.run("talk", "basic", print, print)


def test_stop_waits_for_no_listener_that_waits_for_a_server(make_runner, engine_client):
    runner = make_runner(grace=1)
    listens, answered = threading.Event(), threading.Event()

    def listen(line: str) -> None:
        listens.set()
        answered.wait(60)

    with ThreadPoolExecutor() as pool:
        running = pool.submit(runner.run, "hang", "basic", print, listen)
        assert listens.wait(20)
        began = time.monotonic()
        runner.stop()
        assert time.monotonic() - began < 12
        assert experiments(engine_client) == []
        answered.set()
        with pytest.raises(StoppedError):
            running.result(timeout=20)


def test_a_missing_image_is_named_before_anything_runs(make_runner):
    with pytest.raises(ConfigError, match=r"image bloodcell-none:1: the image is not on this host") as caught:
        make_runner(image="bloodcell-none:1").prepare(print)
    assert "make image" in caught.value.remedy


def test_an_image_of_something_else_is_named(make_runner, base_image):
    with pytest.raises(ConfigError, match=r"image .* cannot run an experiment"):
        make_runner(image=base_image).run("talk", "basic", print, print)


def test_no_engine(make_runner, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    for use in (lambda runner: runner.prepare(print), lambda runner: runner.run("talk", "basic", print, print)):
        with pytest.raises(TransientError, match="the Docker Engine does not answer") as caught:
            use(make_runner())
        assert "DOCKER_HOST" in caught.value.remedy


def test_an_engine_without_gpus(make_runner, plain_engine, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", plain_engine.url)
    with pytest.raises(ConfigError, match="no NVIDIA runtime is installed") as caught:
        make_runner(image="empty", gpus="0").run("talk", "basic", print, print)
    assert "NVIDIA Container Toolkit" in caught.value.remedy


def test_a_container_that_somebody_removes(make_runner, engine_client):
    def remove(line: str) -> None:
        experiments(engine_client)[0].remove(force=True)

    with pytest.raises(BloodcellError, match="was removed while the experiment ran"):
        make_runner().run("hang", "basic", print, remove)


def test_a_container_may_nothing_that_an_experiment_needs_not(make_runner, engine_client):
    lines = []
    assert make_runner(shm="64m").run("confess", "basic", print, lines.append).code == 0
    said = "\n".join(lines)
    assert lines[0] == "10001"
    assert re.search(r"CapEff:\s+0{16}", said)
    assert re.search(r"CapBnd:\s+0{16}", said)
    assert re.search(r"NoNewPrivs:\s+1", said)
    assert re.search(r"Seccomp:\s+2", said)
    assert "/var/run/docker.sock': No such file" in said
    assert said.count("Read-only file system") == 2
    assert {"tmp", "cache"} <= set(lines)
    assert " 65536 " in lines[-1]


def test_labels_find_it_and_hold_no_secret(make_runner, engine_client, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    seen = []

    def look(line: str) -> None:
        seen.extend(engine_client.api.inspect_container(item.id) for item in experiments(engine_client))

    runner = make_runner()
    assert runner.run("talk", "dense-16", print, look).code == 0
    labels = seen[0]["Config"]["Labels"]
    assert labels.items() >= {
        "bloodcell.key": "talk", "bloodcell.row": "dense-16", "bloodcell.grid": "blood-cell",
        "bloodcell.run": "20261124T020000Z-abcdef", "bloodcell.flow-run": "019ab",
    }.items()  # fmt: skip
    assert "planted-secret" in str(seen[0]["Config"]["Env"])
    seen[0]["Config"].pop("Env")
    assert "planted-secret" not in str(seen[0])


def test_a_killed_grid_runs_containers_are_reaped_at_the_next_start_and_a_living_ones_are_not(
    make_runner, engine_client, double
):
    with orchestrator(double, "hang-1") as killed, orchestrator(double, "hang-2") as living:
        assert killed.stdout.readline() == living.stdout.readline() == "hanging\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(experiments(engine_client)) == 2
        lines = []
        make_runner().prepare(lines.append)
        assert [item.labels[LABEL] for item in experiments(engine_client)] == ["hang-2"]
        assert len(lines) == 1
        assert "the grid run that started it is gone" in lines[0]
        living.kill()
    make_runner().prepare(print)
    assert experiments(engine_client) == []


def test_an_engine_that_restarts_under_an_experiment_loses_no_line(make_runner, engine):
    """Every connection breaks, and the engine is away for a while; the experiment is not."""
    lines, restarts, restarting = [], engine.restarts, threading.Thread(target=engine.restart)

    def disturb(line: str) -> None:
        lines.append(line)
        if line == "line 20":
            restarting.start()

    ended = make_runner().run("count", "basic", print, disturb)
    restarting.join()
    assert engine.restarts == restarts + 1
    assert ended.code == 0
    assert lines == [f"line {number}" for number in range(1, 201)]
