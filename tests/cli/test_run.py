import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from click.testing import CliRunner

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec
from bloodcell.cli import cli
from bloodcell.errors import ConfigError


def test_an_experiment_without_tensorflow_says_what_to_install(settings, spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "bloodcell.experiment", raising=False)
    with pytest.raises(ConfigError, match="keras is not installed here"):
        CliRunner().invoke(cli, ["run", "--key", spec.key], catch_exceptions=False)


def test_help_names_the_exit_codes():
    assert "75 try again" in CliRunner().invoke(cli, ["run", "--help"], catch_exceptions=False).output


COMMAND = [sys.executable, "-m", "bloodcell", "run", "--key"]


@pytest.fixture
def long(spec, store) -> ExperimentSpec:
    """An experiment of some seconds, with what is drawn at random while it trains."""
    config = spec.config.model_copy(update={"epochs": 12, "dropout": 0.5, "seed": 3})
    long = spec.model_copy(update={"config": config})
    artifacts.write_model(store, artifacts.experiment(long.key, "config.json"), long)
    return long


def interrupted(
    command: list[str], epoch: int, interrupt: Callable[[subprocess.Popen[str]], object]
) -> tuple[int, str]:
    """Run a command, and interrupt it in the epoch after `epoch`; returns its exit code and what it printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if f'"epoch":{epoch},' in line:
                interrupt(process)
                break
        lines += process.stdout.readlines()
    return process.returncode, "".join(lines)


@pytest.mark.usefixtures("hangups")
def test_a_training_that_is_stopped_and_killed_ends_as_if_it_had_not_been(settings, long, store):
    command = [*COMMAND, long.key]
    for epoch, number in ((2, signal.SIGHUP), (4, signal.SIGTERM)):  # a terminal that closes, a container that stops
        code, said = interrupted(command, epoch, lambda process, number=number: process.send_signal(number))
        assert code == 143, said
        assert "the training was stopped in epoch " in said
        assert "Traceback" not in said
        assert not artifacts.is_done(store, long.key)

    def checkpoints() -> list[int]:
        names = store.list(f"experiments/{long.key}/checkpoints/")
        return [int(name.rpartition("/")[2].partition("-")[0]) for name in names]

    def kill_once_saved(process: subprocess.Popen[str]) -> None:
        # Not the one of epoch 6 itself: one is left out while the one before is still being written.
        while process.poll() is None and not any(number >= 6 for number in checkpoints()):
            time.sleep(0.01)
        process.kill()

    code, said = interrupted(command, 6, kill_once_saved)
    assert code == -9
    assert "going on " in said
    assert '"epoch":2,' not in said

    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert '"epoch":5,' not in ended.stdout
    resumed = artifacts.read_result(store, long.key)
    files = [artifacts.experiment(long.key, name) for name in (*resumed.files, "config.json", "result.json")]
    assert sorted(store.list(f"experiments/{long.key}/")) == sorted(files)

    (store.root / artifacts.experiment(long.key, "result.json")).unlink()
    assert subprocess.run(command, check=False).returncode == 0
    undisturbed = artifacts.read_result(store, long.key)
    assert resumed.metrics == undisturbed.metrics
    times = {"seconds": True, "waiting": True}
    assert [record.model_dump(exclude=times) for record in resumed.history] == [
        record.model_dump(exclude=times) for record in undisturbed.history
    ]
    assert resumed.files["predictions.parquet"] == undisturbed.files["predictions.parquet"]


def test_a_training_whose_runner_was_killed_stops_by_itself_and_is_saved(settings, long, store):
    program = f"import subprocess, sys; print(subprocess.Popen({[*COMMAND, long.key]!r}).pid, flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as runner:
        pid = int(runner.stdout.readline())
        lines = iter(runner.stdout.readline, "")
        assert any('"epoch":1,' in line for line in lines)
        runner.kill()
        child = psutil.Process(pid) if psutil.pid_exists(pid) else None
        said = "".join(lines)
    assert child is None or child.wait(30) is None
    assert "the training was stopped in epoch " in said
    assert list(store.list(f"experiments/{long.key}/checkpoints/"))
    assert not artifacts.is_done(store, long.key)
