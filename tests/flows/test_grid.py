"""The flow on a real Prefect server, with real experiments in child processes."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import prefect.task_engine
import psutil
import pytest
from click.testing import CliRunner
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from ruamel.yaml import YAML

from bloodcell import artifacts
from bloodcell.artifacts import GridRun, LatestRun, RowOutcome
from bloodcell.config import GridConfig
from bloodcell.errors import DatasetError, ObjectNotFoundError, StoppedError, StorageError
from bloodcell.events import Failure
from bloodcell.grids import load_grid
from bloodcell.report.drawings import Drawings
from bloodcell.settings import cpus
from flows.conclusion import exit_code
from flows.fan_out import fan_out
from flows.grid.__main__ import main
from flows.grid.flow import grid as grid_flow
from flows.grid.launch import _is_a_warning_of_ours, launch
from tasks import experiment, report_process
from tasks.packing import pack
from tasks.plan import plan
from tasks.report_process import ReportProcess
from tasks.report_process import started as own_report_process
from tasks.reporting import audit_dataset, draw, get_ready_to_draw, make_report, read_ahead
from tasks.runners import Exit, ProcessRunner


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
    return artifacts.read_model(store, artifacts.grid_run("own", pointer.run_id, "grid.json"), GridRun)


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
    assert names == {"plan", "b", "c", "report"}


def test_leakage_is_told_in_log_state_grid_and_report(store, settings, celled, grid_file, caplog):
    state = grid_flow(grid=grid_file(a={"split": "pooled"}), dataset="celled", return_state=True)
    assert state.is_completed()
    run = latest_run(store)
    (audit,) = run.leakage
    assert 0 < audit.test.leaked <= audit.test.images
    told = (
        f"{audit.test.leaked} of {audit.test.images} test images with split pooled have a sibling "
        "(another image of the same source cell) in training"
    )
    assert state.message.startswith(f"Leakage: {told}.\nTest accuracy: ")
    opening = store.read(artifacts.grid_run("own", run.run_id, "report.md")).decode().split("## Results")[0]
    assert f"**Leakage**: {told}." in opening
    (logged,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert logged.message.startswith(f"{audit.test.leaked} of {audit.test.images} test images and ")
    assert logged.message.endswith("Remedy: set split: source")


@pytest.mark.parametrize("dataset", ["celled", "coloured"])
def test_a_strict_run_is_refused_before_anything_is_written(store, settings, celled, coloured, grid_file, dataset):
    state = grid_flow(grid=grid_file(a={"split": "pooled"}), dataset=dataset, strict=True, return_state=True)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), DatasetError)
    assert [path.name for path in store.root.iterdir()] == ["datasets"]


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


def test_a_rerun_does_without_what_draws_and_its_own_process_without_what_reports(
    store, settings, coloured, grid_file, tmp_path
):
    path = grid_file(a={})
    assert grid_flow(grid=path, return_state=True).is_completed()
    code = f"""
import json, sys
from pathlib import Path
from flows.grid.__main__ import main
from tasks.report_process import ReportProcess

close, look = ReportProcess.close, "sorted(__import__('sys').modules)"

def closing(process):
    Path({str(tmp_path / "loaded")!r}).write_text(json.dumps([eval(look), process.call(eval, look)]))
    close(process)

ReportProcess.close = closing
main(standalone_mode=False)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, "--grid", path],
        env=os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert statuses(store) == {"a": "reused"}
    own, reporting = map(set, json.loads((tmp_path / "loaded").read_text()))
    assert "prefect" in own
    assert own & {"pandas", "numpy", "scipy", "pyarrow", "jinja2", "matplotlib", "tensorflow"} == set()
    assert "pandas" in reporting
    assert reporting & {"prefect", "matplotlib", "tensorflow"} == set()


def test_the_command_with_a_server_of_its_own(store, settings, coloured, grid_file, tmp_path):
    """As a user types it: no Prefect server is named, one row works and one cannot."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    ended = subprocess.run(
        [sys.executable, "-m", "flows.grid", "--grid", grid_file(a={}, b={"batch_size": 1000}), "--set", "dropout=0.1"],
        env=own | {"PREFECT_HOME": str(tmp_path / "prefect")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 78, ended.stderr
    run = latest_run(store)
    assert statuses(store) == {"a": "trained", "b": "failed"}
    assert run.rows[0].config.dropout == 0.1
    assert run.overrides == {"dropout": 0.1}
    assert "--set dropout=0.1" in run.command
    assert f"{run.run_id}/report.html" in ended.stdout
    assert "a ████████████████████ 1/1" in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("done", "runner", "options", "warms", "reads"),
    [
        (False, "process", [], True, False),
        (True, "process", [], False, True),
        (True, "process", ["--force"], True, False),
        (True, "process", ["--nightly", "compare"], True, False),
        (True, "process", ["--seeds", "2"], True, False),
        (False, "docker", [], False, False),
        (True, "docker", [], False, True),
    ],
)
def test_tensorflow_is_imported_ahead_where_a_process_will_train_and_results_read_where_none_will(
    store, settings, coloured, grid_file, monkeypatch, done, runner, options, warms, reads
):
    """Meanwhile the command imports Prefect."""
    path, warmed, asked, raised = grid_file(a={}), [], [], []
    call = ReportProcess.call_there
    if done:
        (run,) = plan(store, load_grid(path)).runs
        store.write(artifacts.experiment(run.spec.key, "result.json"), b"{}")
    monkeypatch.setenv("BLOODCELL_RUNNER", runner)
    monkeypatch.setattr("tasks.runners.process.warm_up", warmed.append)
    monkeypatch.setattr(
        ReportProcess, "call_there", lambda own, what, *given: asked.append(what) or call(own, what, *given)
    )
    monkeypatch.setattr(threading, "excepthook", raised.append)

    def launched(*_, **__) -> int:
        for thread in threading.enumerate():
            if thread.name == "prepare":
                thread.join()
        return 0

    monkeypatch.setattr("flows.grid.launch.launch", launched)
    ended = CliRunner().invoke(main, ["--grid", path, *options])
    assert ended.exit_code == 0, ended.output
    assert [each.store for each in warmed] == [settings.store] * warms
    # The result is none that could be read, which the flow will say.
    assert asked == [audit_dataset, read_ahead] * reads
    assert raised == []


def test_a_report_is_made_of_what_was_read_ahead(store, settings, coloured, grid_file, monkeypatch):
    path, asked, call = grid_file(a={}, b={"dense_units": 16}), [], ReportProcess.call_there
    assert grid_flow(grid=path, return_state=True).is_completed()
    before = latest_run(store)
    monkeypatch.setattr(report_process, "started", own_report_process)

    def noting(process, function, *arguments):
        asked.append(function)
        if function == make_report:
            for row in before.rows:
                store.write(artifacts.experiment(row.key, "predictions.parquet"), b"another's")
        return call(process, function, *arguments)

    def launched(*arguments, **more) -> int:
        for thread in threading.enumerate():
            if thread.name == "prepare":
                thread.join()
        return launch(*arguments, **more)

    monkeypatch.setattr(ReportProcess, "call_there", noting)
    monkeypatch.setattr("flows.grid.launch.launch", launched)
    ended = CliRunner().invoke(main, ["--grid", path])
    assert ended.exit_code == 0, ended.output
    assert asked == [audit_dataset, read_ahead, audit_dataset, make_report]
    run = latest_run(store)
    assert run.run_id != before.run_id
    assert statuses(store) == {"a": "reused", "b": "reused"}
    assert run.leakage == before.leakage != ()


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_planned(store, settings, coloured, grid_file):
    settings.cache.parent.mkdir(exist_ok=True)
    settings.cache.write_text("no folder")
    state = grid_flow(grid=grid_file(a={}), return_state=True)
    with pytest.raises(StorageError, match="cannot use a report in the making in ") as caught:
        state.result()
    assert "BLOODCELL_CACHE" in caught.value.remedy
    assert list(store.list("experiments/")) == []


def test_the_code_is_the_runs_where_a_late_server_drops_the_states_data(
    store, settings, coloured, grid_file, monkeypatch
):
    def forgetful(**parameters):
        return grid_flow(**parameters).model_copy(update={"data": None})

    monkeypatch.setattr("flows.grid.launch.grid", forgetful)
    failing = CliRunner().invoke(main, ["--grid", grid_file(a={}, b={"batch_size": 1000})])
    assert failing.exit_code == 78, failing.output
    assert "1 of 2 experiments failed" in failing.stdout
    done = CliRunner().invoke(main, ["--grid", grid_file(a={})])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("frequency", "beats"), [(None, None), ("45", 45)])
def test_a_command_sends_heartbeats_where_it_is_told_to(
    store, settings, coloured, grid_file, monkeypatch, frequency, beats
):
    found = []

    def noting(**parameters):
        found.append(get_current_settings().flows.heartbeat_frequency)
        return grid_flow(**parameters)

    monkeypatch.setattr("flows.grid.launch.grid", noting)
    if frequency:
        monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", frequency)
    with temporary_settings():  # reads the environment again
        ended = CliRunner().invoke(main, ["--grid", grid_file(a={"batch_size": 1000})])
    assert ended.exit_code == 78, ended.output
    assert found == [beats]


@pytest.mark.parametrize("slots", [1, 2])
def test_no_more_experiments_run_at_once_than_there_are_slots(store, settings, coloured, small, slots):
    running, most, changed = 0, 0, threading.Condition()

    class Counting:
        def prepare(self, on_log):
            pass

        def stop(self):
            pass

        def run(self, key, name, on_event, on_log):
            nonlocal running, most
            with changed:
                running += 1
                most = max(most, running)
                changed.notify_all()
                changed.wait_for(lambda: most >= slots, timeout=20)  # or a slow start of the others hides them
            time.sleep(0.3)
            with changed:
                running -= 1
            return Exit(78, Failure(problem="counted", remedy="none"))

    rows = {f"row-{number}": {"dropout": number / 10} for number in range(4)}
    base = small.model_dump(exclude_defaults=True)
    planned = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))

    @flow
    def fan() -> tuple[RowOutcome, ...]:
        return fan_out(store, planned, Counting(), slots)

    outcomes = fan()
    assert most == slots
    assert [row.name for row in outcomes] == list(rows)
    assert [(row.status, row.reason) for row in outcomes] == [("failed", "counted. Remedy: none")] * 4


def test_experiments_start_in_the_plans_order_and_are_reported_in_the_grids(store, settings, coloured, small):
    started = []

    class Noting:
        def stop(self):
            pass

        def run(self, key, name, on_event, on_log):
            started.append(name)
            return Exit(78, Failure(problem="noted", remedy="none"))

    rows = {"short": {"epochs": 1}, "long": {"epochs": 9}}
    base = small.model_dump(exclude_defaults=True)
    planned = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows, seeds=2))
    _, planned = pack(settings.model_copy(update={"slots": 1}), planned, ProcessRunner, print)

    began, ended = [], []

    @flow
    def fan() -> tuple[RowOutcome, ...]:
        return fan_out(store, planned, Noting(), 1, on_start=lambda: began.append(len(ended)), on_row=ended.append)

    assert [(row.name, row.config.seed) for row in fan()] == [("short", 0), ("short", 1), ("long", 0), ("long", 1)]
    assert started == ["long seed 0", "long seed 1", "short seed 0", "short seed 1"]
    assert began == [0]
    # The last row ends when nothing runs any more: it is left to the report.
    assert [[(row.name, row.config.seed) for row in rows] for rows in ended] == [[("long", 0), ("long", 1)]]

    # Where a row is done in part, its outcomes are all of them.
    first, *others = planned.runs
    planned = replace(planned, runs=(replace(first, done=True), *others))
    fan()
    assert {(row.name, row.config.seed) for row in ended[1]} == {("long", 0), ("long", 1)}


def test_what_has_not_begun_does_not_begin_once_a_run_is_interrupted(store, settings, coloured, small):
    begun, stopping = [], threading.Event()

    class Interrupted:
        def stop(self):
            time.sleep(2)  # in which a thread that has ended would take the next experiments
            stopping.set()

        def run(self, key, name, on_event, on_log):
            begun.append(name)
            if name == "row-0":
                os.kill(os.getpid(), signal.SIGINT)
            elif name == "row-1":
                stopping.wait(20)
            raise StoppedError("p", remedy="r")

    rows = {f"row-{number}": {"dropout": number / 10} for number in range(6)}
    base = small.model_dump(exclude_defaults=True)
    planned = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))

    @flow
    def fan() -> tuple[RowOutcome, ...]:
        return fan_out(store, planned, Interrupted(), 2)

    with pytest.raises(KeyboardInterrupt):
        fan()
    assert len(begun) <= 3  # those of both slots, and what the first took before the signal was met


def test_a_signal_while_prefect_imports_its_server_ends_the_command_as_any_other():
    code = (
        "import sys, types; from flows.grid.launch import _interrupted; "
        "sys.modules['prefect.server.api.server'] = types.ModuleType('half'); _interrupted(2, None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stderr.splitlines()[-1].startswith("interrupted; the same command goes on from here")


def test_ctrl_c_before_the_flow_runs_ends_the_command_without_a_word(store, settings, coloured, grid_file):
    with subprocess.Popen(
        [sys.executable, "-m", "flows.grid", "--grid", grid_file(a={})],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        while not (started := psutil.Process(process.pid).children()):
            time.sleep(0.02)
        time.sleep(0.3)  # it imports Prefect now
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == ""
    assert process.returncode == -signal.SIGINT
    psutil.wait_procs(started, timeout=20)
    assert not any(child.is_running() for child in started)


def test_while_a_run_stops_only_warnings_of_its_own_are_told():
    def record(level: int, path: str) -> logging.LogRecord:
        return logging.LogRecord("prefect.task_runs", level, path, 1, "m", (), None)

    own = experiment.__file__
    assert _is_a_warning_of_ours(record(logging.WARNING, own))
    assert not _is_a_warning_of_ours(record(logging.INFO, own))
    assert not _is_a_warning_of_ours(record(logging.ERROR, prefect.task_engine.__file__))


def test_what_fails_to_get_the_report_ready_stops_no_experiment(store, settings, coloured, small, caplog):
    class Ending:
        def stop(self):
            raise AssertionError("nothing is to be stopped")

        def run(self, key, name, on_event, on_log):
            return Exit(78, Failure(problem="noted", remedy="none"))

    rows = {"a": {"epochs": 1}, "b": {"epochs": 2}}
    base = small.model_dump(exclude_defaults=True)
    planned = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))

    def fails(*_):
        raise OSError("no room for fonts")

    @flow
    def fan() -> tuple[RowOutcome, ...]:
        return fan_out(store, planned, Ending(), 1, on_start=fails, on_row=fails)

    assert [row.reason for row in fan()] == ["noted. Remedy: none"] * 2
    assert caplog.text.count("OSError('no room for fonts')") == 2


def test_a_rows_charts_are_drawn_while_the_next_one_trains(store, settings, coloured, grid_file, monkeypatch):
    asked, drawn = [], []
    call = ReportProcess.call_there  # which the others call too

    def noting(process, function, *arguments):
        asked.append(function)
        if function is make_report:
            drawn.extend((arguments[-1] / "charts").iterdir())
        return call(process, function, *arguments)

    monkeypatch.setattr(ReportProcess, "call_there", noting)
    monkeypatch.setenv("BLOODCELL_SLOTS", "1")
    assert grid_flow(grid=grid_file(a={}, b={"dense_units": 16}), return_state=True).is_completed()
    assert asked == [audit_dataset, get_ready_to_draw, draw, make_report]
    run = latest_run(store)
    reported = artifacts.read_model(store, artifacts.grid_run(run.grid.name, run.run_id, "drawings.json"), Drawings)
    assert {path.name for path in drawn} == {
        digest for digest, chart in reported.charts.items() if chart.file.startswith("plots/a-")
    }
    assert len(reported.charts) == 2 * len(drawn) + 1  # of the other row, and the comparison


def test_a_flow_ends_its_report_process_and_leaves_no_folder(store, settings, coloured, grid_file, monkeypatch):
    monkeypatch.setattr(report_process, "started", own_report_process)
    before = psutil.Process().children()
    assert grid_flow(grid=grid_file(a={"batch_size": 1000}), return_state=True).is_failed()
    left = [child for child in psutil.Process().children() if child not in before]
    assert not any("tasks.report_process" in child.cmdline() for child in left)
    assert list((settings.cache / "scratch").iterdir()) == []


@pytest.mark.usefixtures("hangups")
@pytest.mark.parametrize(
    ("number", "whole_group"),
    # Ctrl-C, a terminal that closes, and systemd send all processes the signal; `kill` sends it to one.
    [
        pytest.param(signal.SIGINT, True, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, True, marks=pytest.mark.long),
        (signal.SIGTERM, True),
        (signal.SIGINT, False),
        pytest.param(signal.SIGTERM, False, marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_everything_at_once_and_the_next_run_goes_on(
    store, settings, coloured, grid_file, tmp_path, number, whole_group
):
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    lines = []
    file = grid_file(a={}, b={"epochs": 500}, c={"dropout": 0.1}, d={"dropout": 0.2})  # one at least waits for its turn
    with subprocess.Popen(
        [sys.executable, "-m", "flows.grid", "--grid", file],
        env=own | {"PREFECT_HOME": str(tmp_path / "prefect"), "BLOODCELL_SLOTS": "2"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        trained = False
        for line in process.stdout:
            lines.append(line)
            trained = trained or "Finished in state Trained(" in line
            if trained and "/500 " in line:
                (os.killpg if whole_group else os.kill)(process.pid, number)
                if number != signal.SIGINT:  # once more, as make does and a shell
                    time.sleep(0.1)
                    os.kill(process.pid, number)
                break
        started = time.monotonic()
        lines += process.stdout.readlines()  # ends when the last process of the group has closed it
    assert process.returncode == 128 + number, "".join(lines)
    assert time.monotonic() - started < 60  # so nothing of it runs any more, the temporary server neither
    assert "interrupted; the same command goes on from here" in "".join(lines[-5:])
    assert "Traceback" not in "".join(lines)
    assert "StoppedError" not in "".join(lines)
    state = grid_flow(grid=grid_file(a={}, e={"dropout": 0.3}), return_state=True)
    assert state.is_completed()
    assert statuses(store) == {"a": "reused", "e": "trained"}


@pytest.mark.skipif(cpus() < 2, reason="there is nothing to measure with one core")
def test_ctrl_c_ends_what_is_measured_too(store, settings, coloured, grid_file, tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    lines = []
    # It would not measure while other tests keep the cores busy.
    code = (
        "from tasks.packing import calibration; calibration._BUSY = 100; from flows.grid.__main__ import main; main()"
    )
    rows = grid_file(a={}, b={"dropout": 0.1})
    with subprocess.Popen(
        [sys.executable, "-c", code, "--grid", rows, "--set", "epochs=10000"],
        env=own | {"PREFECT_HOME": str(tmp_path / "prefect")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        for line in process.stdout:
            lines.append(line)
            if " 1/10000" in line:  # it measured nothing, and trains, for hours
                os.kill(process.pid, signal.SIGINT)
                break
            if "measuring the throughput of 1 experiment at a time, 1 thread" in line:
                while not of_group(process.pid, "measure"):
                    time.sleep(0.05)
                os.kill(process.pid, signal.SIGINT)
                break
        lines += process.stdout.readlines()
    assert process.returncode == 130, "".join(lines)
    assert not of_group(process.pid, "measure")
    assert list(store.list("experiments/")) != []  # it was planned, and nothing more
    assert " 1/10000" not in "".join(lines)


def of_group(group: int, argument: str) -> list[psutil.Process]:
    """Processes of a group, ended ones apart, that were started with that argument."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and argument in process.cmdline():
                found.append(process)
    return found
