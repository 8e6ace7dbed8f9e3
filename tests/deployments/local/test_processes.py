import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bloodcell.errors import TransientError
from deployments.local.processes import (
    FLOW_RUN,
    MARK,
    PREFECT_SERVER,
    S3_SERVER,
    WORKER,
    kind_of,
    running,
    start,
    stop,
    wait_until,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def launch(tmp_path):
    """Starts processes as a stack's, which end with the test."""
    started = []

    def launch(*arguments: str, code: str = "import time; time.sleep(600)") -> subprocess.Popen:
        command = [sys.executable, "-c", code, *arguments]
        started.append(start(command, dict(os.environ) | {MARK: str(tmp_path)}, tmp_path / "log"))
        return started[-1]

    yield launch
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["python", "-m", "prefect", "--no-prompt", "server", "start", "--port", "4200"], PREFECT_SERVER),
        (["python", "-m", "prefect", "--no-prompt", "worker", "start", "--pool", "grids"], WORKER),
        (["/venv/bin/weed", "mini", "-dir=/data"], S3_SERVER),
        (["python", "-m", "prefect.engine"], FLOW_RUN),
        (["python", "-m", "bloodcell", "run", "--key", "0"], FLOW_RUN),
        ([], FLOW_RUN),
    ],
)
def test_kinds(command, kind):
    assert kind_of(command) == kind


FORKED = """
import os, time
if not os.fork():
    from setproctitle import setproctitle
    setproctitle("python -m bloodcell run --key 0")
time.sleep(600)
"""


def test_a_process_whose_title_is_written_over_its_mark_is_found_by_its_parent(launch, tmp_path):
    parent = launch(code=FORKED)

    def experiments() -> list[psutil.Process]:
        return [process for process in running(tmp_path).get(FLOW_RUN, []) if "--key" in process.cmdline()[0]]

    until(experiments)
    (forked,) = experiments()
    try:
        assert forked.ppid() == parent.pid
        until(lambda: not forked.environ())  # which is a moment after the title
        assert experiments() == [forked]
    finally:
        forked.kill()


def test_a_process_that_has_ended_is_not_found_though_its_parent_has_not_asked(launch, tmp_path):
    parent = launch(code="import os, time; os.fork() or os._exit(0); time.sleep(600)")
    until(lambda: any(child.status() == psutil.STATUS_ZOMBIE for child in psutil.Process(parent.pid).children()))
    assert [process.pid for process in running(tmp_path)[FLOW_RUN]] == [parent.pid]


def test_a_stacks_processes_are_found_by_their_mark_and_by_no_other(launch, tmp_path):
    worker = launch("worker", "start")
    other = subprocess.Popen(SLEEP, env=dict(os.environ) | {MARK: f"{tmp_path}-other"})
    try:
        found = running(tmp_path)
    finally:
        other.kill()
        other.wait()
    assert {kind: [process.pid for process in some] for kind, some in found.items()} == {WORKER: [worker.pid]}


def test_what_a_process_starts_bears_the_mark_even_when_its_parent_is_gone(launch, tmp_path):
    code = f"import subprocess, time; subprocess.Popen({SLEEP!r}); time.sleep(600)"
    worker = launch("worker", "start", code=code)
    until(lambda: len(running(tmp_path).get(FLOW_RUN, [])) == 1)
    worker.kill()
    worker.wait()
    (orphan,) = running(tmp_path)[FLOW_RUN]
    stop([orphan])
    assert running(tmp_path) == {}


def test_a_server_outlives_its_terminal(launch):
    process = launch()
    assert os.getsid(process.pid) == process.pid
    assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path(os.devnull)


def test_sigint_is_not_ignored_where_the_shell_had_it_so(launch):
    """A shell has what it runs in the background ignore it; Prefect's worker stops by sending itself one."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = launch("worker", "start")
    finally:
        signal.signal(signal.SIGINT, before)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0


def test_one_that_ignores_sigterm_is_killed(launch, tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)"
    process = launch(code=f"{code}; time.sleep(600)")
    until(lambda: (tmp_path / "log").read_text() == "ready\n")
    stop([psutil.Process(process.pid)], grace=0.5)
    assert running(tmp_path) == {}


def test_stopping_what_is_gone_is_no_error(launch, tmp_path):
    known = psutil.Process(launch().pid)
    stop([known])
    stop([known])
    assert running(tmp_path) == {}


def test_one_that_does_not_start_says_what_it_last_said(launch, tmp_path):
    process = launch(code="import sys; sys.exit('no database')")
    with pytest.raises(TransientError, match="the worker did not start: no database"):
        wait_until(lambda: False, process, WORKER, tmp_path / "log")


def until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
