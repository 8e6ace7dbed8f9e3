import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentSpec
from bloodcell.errors import BloodcellError, ConfigError, DataError, StoppedError, TransientError
from bloodcell.events import Done, Epoch, Event, Failure
from bloodcell.provenance import code_version
from tasks.runners import Exit, GridRunId, ProcessRunner, open_runner, process
from tasks.runners.base import error_of


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the runner start a script in place of an experiment."""

    def use(text: str) -> None:
        file = tmp_path / "child.py"
        file.write_text(text)
        monkeypatch.setattr(process, "command", lambda key: [sys.executable, str(file), key])

    return use


def run(settings) -> tuple[Exit, list, list[str]]:
    events, lines = [], []
    ended = ProcessRunner(settings).run("key", "row", events.append, lines.append)
    return ended, events, lines


def test_gpus_are_not_leased_to_processes(settings):
    with pytest.raises(ConfigError, match="BLOODCELL_GPUS is 0,1 and the runner is process") as refused:
        open_runner(settings.model_copy(update={"gpus": ("0", "1")}), GridRunId("mine", "run", "flow"))
    assert "BLOODCELL_RUNNER=docker" in refused.value.remedy


def test_a_real_experiment(store, settings, spec):
    events, lines = [], []
    ended = ProcessRunner(settings).run(spec.key, "row", events.append, lines.append)
    assert ended.code == 0
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2]
    assert isinstance(events[-1], Done)
    assert lines == []  # no banner of TensorFlow's either
    assert artifacts.is_done(store, spec.key)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only there is anything forked")


@on_linux
def test_a_child_is_forked_from_what_was_warmed_up(store, settings, spec, monkeypatch):
    monkeypatch.setattr(process, "_servers", [])
    process.warm_up(settings)
    (server,) = process._servers
    monkeypatch.setenv("PREFECT_LOGGING_ROOT_LEVEL", "CRITICAL")  # as the command that warms it up does later
    monkeypatch.setattr(process.subprocess, "Popen", None)
    assert ProcessRunner(settings).run(spec.key, "row", lambda _: None, print).code == 0
    assert process._servers == [server]


@on_linux
def test_stop_ends_what_was_forked_once_it_is_saved(store, settings, coloured, small, monkeypatch):
    config = small.model_copy(update={"epochs": 1000})
    spec = ExperimentSpec(
        config=config, dataset=coloured.name, dataset_version=coloured.version, code_version=code_version()
    )
    artifacts.write_model(store, artifacts.experiment(spec.key, "config.json"), spec)
    process.warm_up(settings)
    monkeypatch.setattr(process.subprocess, "Popen", None)
    runner = ProcessRunner(settings)

    def stop_in_second_epoch(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 1:
            Thread(target=runner.stop).start()

    with pytest.raises(StoppedError):
        runner.run(spec.key, "row", stop_in_second_epoch, print)
    assert list(store.list(artifacts.experiment(spec.key, "checkpoints/")))


def test_events_and_log_lines_are_told_apart(settings, script):
    script('print(\'{"event": "step", "message": "m"}\'); print(\'plain\'); print(); raise SystemExit(3)')
    ended, events, lines = run(settings)
    assert (ended.code, ended.tail) == (3, ("plain",))
    assert [event.message for event in events] == ["m"]
    assert lines == ["plain"]


def test_the_failure_an_experiment_reports_is_kept(settings, script):
    script('import sys; print(\'{"event": "error", "problem": "p", "remedy": "r"}\'); sys.exit(65)')
    ended, events, _ = run(settings)
    assert ended.failure == Failure(problem="p", remedy="r")
    assert events == []


def test_the_child_gets_these_settings_and_no_terminal(settings, script):
    script(
        "import os, sys; print(os.environ['BLOODCELL_STORE'], os.environ['BLOODCELL_THREADS'], sys.stdin.read() == '')"
    )
    assert run(settings)[2] == [f"{settings.store} 1 True"]
    assert process.child_environment(settings, {"TF_CPP_MIN_LOG_LEVEL": "0"})["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_an_interrupted_listener_leaves_no_child(settings, script):
    script("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    pids = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ProcessRunner(settings).run("key", "row", print, interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@pytest.mark.parametrize(
    ("on_sigterm", "grace"), [("signal.SIG_DFL", 25), ("signal.SIG_IGN", 1)], ids=["obeys", "is killed"]
)
def test_stop_ends_the_children_and_starts_no_more(settings, script, on_sigterm, grace):
    script(
        "import os, signal, sys, time; "
        f"signal.signal(signal.SIGTERM, {on_sigterm}); print(os.getpid(), flush=True); time.sleep(600)"
    )
    runner = ProcessRunner(settings.model_copy(update={"grace": grace}))
    pids: Queue[int] = Queue()
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(runner.run, "key", "row", print, lambda line: pids.put(int(line))) for _ in range(2)]
        children = [pids.get(timeout=20) for _ in running]
        began = time.monotonic()
        runner.stop()
        for ended in running:
            with pytest.raises(StoppedError):
                ended.result(timeout=20)
        assert time.monotonic() - began < 20
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    with pytest.raises(StoppedError):
        runner.run("key", "row", print, print)
    assert pids.empty()


SILENT = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.{}); print('last words', flush=True); time.sleep(600)"
)


@pytest.mark.parametrize("on_sigterm", ["SIG_DFL", "SIG_IGN"])
def test_one_that_falls_silent_is_stopped_to_be_tried_again(settings, script, on_sigterm):
    script(SILENT.format(on_sigterm))
    began = time.monotonic()
    with pytest.raises(
        TransientError, match="said nothing for 2 s, was taken for hung, and stopped; its last line: last"
    ):
        run(settings.model_copy(update={"grace": 1, "stall_limit": 2}))
    assert 2 < time.monotonic() - began < 12


def test_one_that_goes_on_talking_is_not_stopped(settings, script):
    script("import time\nfor word in range(8): print(word, flush=True); time.sleep(0.5)")
    ended, _, lines = run(settings.model_copy(update={"stall_limit": 3}))
    assert (ended.code, len(lines)) == (0, 8)


@pytest.mark.parametrize(
    ("ended", "kind", "said"),
    [
        (Exit(65, Failure(problem="p", remedy="r")), DataError, "p\n  Remedy: r"),
        (Exit(78, Failure(problem="p", remedy="r")), ConfigError, "p"),
        (Exit(75, Failure(problem="p", remedy="r")), TransientError, "p"),
        (Exit(75), TransientError, "exit code 75: it printed nothing"),
        (Exit(1, tail=("Traceback", "ValueError: x")), BloodcellError, "exit code 1: ValueError: x"),
        (Exit(1), BloodcellError, "exit code 1: it printed nothing"),
        (Exit(-9), TransientError, "killed by SIGKILL, most often because memory ran out"),
        (Exit(143), TransientError, "stopped from outside; its training is saved"),
        (Exit(-15), TransientError, "stopped from outside"),
        (Exit(-11), BloodcellError, "ended by SIGSEGV"),
        (Exit(-40), BloodcellError, "ended by signal 40"),
    ],
)
def test_what_an_exit_means(ended, kind, said):
    error = error_of(ended)
    assert type(error) is kind
    assert said in str(error)
    assert error.remedy


def test_success_is_no_error():
    assert error_of(Exit(0)) is None
