"""Processes of a real fork server, which has imported TensorFlow."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import bloodcell
from bloodcell import artifacts, fork_server
from bloodcell.errors import StoppedError
from bloodcell.fork_server import LARGEST_REQUEST, request
from tasks.runners.forked import ForkedChild, ForkServer
from tasks.runners.process import child_environment, command

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there does a runner use one")

_FIXED = dict(os.environ) | {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def server():
    return ForkServer(_FIXED)


@pytest.fixture
def environment(settings):
    return child_environment(settings, _FIXED)


def never() -> bool:
    return False


def started(server, environment, key: str):
    child = server.start(["run", "--key", key], environment, never)
    assert child is not None
    return child


def test_an_experiment_of_a_fork_has_the_figures_of_one_of_a_fresh_interpreter(server, environment, store, spec):
    with started(server, environment, spec.key) as child:
        lines = list(child.stdout)
    assert child.returncode == 0, lines
    forked = artifacts.read_result(store, spec.key)
    store.delete(artifacts.experiment(spec.key, "result.json"))
    subprocess.run(command(spec.key), env=environment, check=True, stdout=subprocess.DEVNULL)
    fresh = artifacts.read_result(store, spec.key)
    figures = [[record.model_dump(exclude={"seconds", "waiting"}) for record in of.history] for of in (forked, fresh)]
    assert figures[0] == figures[1]
    assert forked.metrics == fresh.metrics
    assert forked.files["predictions.parquet"] == fresh.files["predictions.parquet"]


def test_a_file_that_changes_later_is_not_the_code_of_a_fork(environment, store, spec, tmp_path, monkeypatch):
    """Whoever edits while a grid runs does not have its later rows refused: they compute with what was imported."""
    package = tmp_path / "bloodcell"
    shutil.copytree(Path(bloodcell.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)  # from where `python -m` imports first
    server = ForkServer(_FIXED | {"PYTHONPATH": str(tmp_path)})
    server.wait(60)
    with (package / "model.py").open("a") as file:
        file.write("# a thought\n")
    with started(server, environment, spec.key) as child:
        lines = list(child.stdout)
    assert child.returncode == 0, lines
    assert artifacts.is_done(store, spec.key)


def test_an_error_has_its_exit_code_and_is_printed(server, environment):
    with started(server, environment, "none") as child:
        lines = list(child.stdout)
    assert child.returncode == 65
    assert "experiments/none/config.json" in lines[-2]


def test_it_looks_like_the_command_in_lists_of_processes(server, environment, spec):
    with started(server, environment, spec.key) as child:
        for _ in child.stdout:
            break
        shown = psutil.Process(child._process).cmdline()
        child.kill()
        assert child.wait(20) == -signal.SIGKILL
    assert shown[-4:] == ["bloodcell", "run", "--key", spec.key]


def test_it_gets_its_own_variables_and_none_of_another(server, environment, store, spec):
    other = {name: value for name, value in environment.items() if name != "BLOODCELL_STORE"}
    with started(server, other, spec.key) as child:
        lines = list(child.stdout)
    assert child.returncode == 65
    assert str(Path("store").absolute()) in lines[-2]  # the default


def test_a_wait_ends_when_its_time_is_over(server, environment, spec):
    with started(server, environment, spec.key) as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.05)
        child.kill()


def test_what_is_not_wanted_any_more_is_not_forked(environment, spec, store):
    server = ForkServer(environment)
    began = time.monotonic()
    assert server.start(["run", "--key", spec.key], environment, lambda: True) is None
    assert time.monotonic() - began < 2
    with started(server, environment, "none"):  # the requests before it are through
        pass
    assert not artifacts.is_done(store, spec.key)


def test_one_of_which_nobody_knows_does_not_begin(environment):
    """It was forked in the moment in which its runner was stopped, which did not hear of it."""
    server = ForkServer(environment)
    channel, theirs = socket.socketpair()
    reader, writer = os.pipe()
    socket.send_fds(server._requests, [request(["run", "--key", "none"], {})], [writer, theirs.fileno()])
    os.close(writer)
    theirs.close()
    channel.recv(1, socket.MSG_PEEK)
    channel.close()
    with os.fdopen(reader) as output:
        assert output.read() == ""  # it would say that there is no such experiment
    with started(server, environment, "none") as child:
        assert "experiments/none/config.json" in child.stdout.read()


def test_a_server_that_dies_before_it_tells_of_its_child_is_not_waited_for(server):
    """The child has the channel's other end, and waits at it."""
    channel, child_s = socket.socketpair()
    reader, writer = os.pipe()
    os.close(writer)
    child = ForkedChild(SimpleNamespace(has_ended=True), channel, reader)
    assert not child.let_begin(never)
    child.close()
    assert not fork_server._may_begin(child_s)
    child_s.close()


def test_a_server_says_when_it_has_imported_everything(server, environment):
    server.wait(60)
    began = time.monotonic()
    with started(server, environment, "none"):
        assert time.monotonic() - began < 3  # an import takes longer, and a busy machine has its time to fork


def test_what_is_too_long_to_ask_for_is_not_asked_for(server, environment):
    assert server.start(["run", "--key", "k" * LARGEST_REQUEST], environment, never) is None
    with started(server, environment, "none") as child:
        assert child.wait() == 65


def test_a_server_that_was_killed_starts_nothing_and_what_it_forked_counts_as_stopped(environment, spec):
    server = ForkServer(environment)
    with started(server, environment, spec.key) as child:
        server._process.kill()
        list(child.stdout)  # it notices, is saved, and ends
    assert child.returncode == StoppedError.exit_code
    assert server.start(["run", "--key", spec.key], environment, never) is None
    assert not server.serves(environment)


def test_a_signal_to_the_group_leaves_the_server_to_tell_of_what_it_forked(environment, spec):
    server = ForkServer(environment)
    with started(server, environment, spec.key) as child:
        next(iter(child.stdout))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server._process.send_signal(number)
        child.terminate()
        assert child.wait(60) == StoppedError.exit_code
    assert server.serves(environment)


def test_what_its_server_left_alone_can_be_ended_and_waited_for(environment, spec):
    server = ForkServer(environment)
    with started(server, environment, spec.key) as child:
        process = psutil.Process(child._process)
        process.suspend()
        server._process.kill()
        server._process.wait()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1)
        assert child.returncode is None
        child.kill()
        assert child.wait(20) == StoppedError.exit_code
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE  # nobody's child any more


def test_a_server_that_hangs_is_killed_when_patience_is_over(environment, spec):
    server = ForkServer(environment)
    server._process.send_signal(signal.SIGSTOP)
    assert server.start(["run", "--key", spec.key], environment, never, patience=0.5) is None
    assert server._process.wait(20) == -signal.SIGKILL


def test_a_server_ends_with_what_holds_it(environment):
    server = ForkServer(environment)
    process = server._process
    del server
    assert process.returncode == -signal.SIGKILL


def test_another_folder_or_another_variable_needs_another_server(server, tmp_path, monkeypatch):
    own = _FIXED
    assert server.serves(own | {"BLOODCELL_SLOTS": "3", "PREFECT_LOGGING_ROOT_LEVEL": "CRITICAL"})
    assert not server.serves(own | {"TF_ENABLE_ONEDNN_OPTS": "0"})
    monkeypatch.chdir(tmp_path)
    assert not server.serves(own)
    assert Path.cwd() == tmp_path
