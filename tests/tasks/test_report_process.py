"""The process that audits and reports, for what it does and for how it ends."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from bloodcell.data.dataset import read_info
from bloodcell.errors import ObjectNotFoundError, StoppedError
from tasks import report_process
from tasks.report_process import EndedError, ReportProcess, start_ahead, started
from tasks.reporting import audit_dataset


class UnpicklableError(Exception):
    """Its maker takes more than pickle knows of."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fail() -> None:
    raise UnpicklableError("a", "b")


def loaded() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


@pytest.fixture
def process():
    with started() as process:
        yield process


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_has_imported_what_reports_need_and_nothing_of_what_runs_or_trains(process):
    found = process.call(loaded)
    assert found >= {"pandas", "scipy", "jinja2"}
    assert found & {"prefect", "tensorflow", "keras", "matplotlib"} == set()


def test_what_it_is_asked_for_is_done_there_and_its_answers_come_in_order(process):
    there = process.call(os.getpid)
    assert there != os.getpid()
    assert [process.call(divmod, number, 3) for number in range(7)] == [divmod(number, 3) for number in range(7)]
    assert process.call(os.getpid) == there


def test_an_error_of_the_project_comes_back_as_it_was(process, store, celled, small):
    info = read_info(store, "celled").model_copy(update={"version": "gone"})
    with pytest.raises(ObjectNotFoundError) as here:
        audit_dataset(store, info, [small])
    with pytest.raises(ObjectNotFoundError) as there:
        process.call(audit_dataset, store, info, [small])
    assert str(there.value) == str(here.value)


def test_any_other_error_says_where_in_that_process_it_arose(process):
    with pytest.raises(ZeroDivisionError) as raised:
        process.call(divmod, 1, 0)
    assert "tasks/report_process.py" in "".join(raised.value.__notes__)
    with pytest.raises(RuntimeError, match="UnpicklableError: ab"):
        process.call(fail)
    assert process.call(divmod, 7, 3) == (2, 1)


def test_what_a_killed_process_was_asked_for_is_done_here(process, caplog):
    there = process.call(os.getpid)
    killing = threading.Timer(0.5, os.kill, [there, signal.SIGKILL])
    killing.start()
    assert process.call(time.sleep, 3) is None
    assert process.call(os.getpid) == os.getpid()
    assert "the process that makes the report has ended: what it was asked for is done here" in caplog.messages


def test_what_can_be_left_undone_is_not_done_here(process):
    os.kill(process.call(os.getpid), signal.SIGKILL)
    with pytest.raises(EndedError):
        process.call_there(os.getpid)


def test_where_none_can_be_started_all_is_done_here(monkeypatch, caplog):
    def fail(*_, **__):
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(report_process.subprocess, "Popen", fail)
    with started() as process:
        assert process.call(os.getpid) == os.getpid()
    assert "the process that makes the report cannot be started: Resource temporarily unavailable" in caplog.messages


def test_what_cannot_be_sent_is_an_error_of_that_call_alone(process):
    there = process.call(os.getpid)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        process.call(lambda: 1)
    assert process.call(os.getpid) == there


def test_closing_ends_what_it_does_and_who_waits_for_it(process):
    there = process.call(os.getpid)
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            process.call(time.sleep, 600)
        except StoppedError as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    process.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert raised
    assert not psutil.pid_exists(there)
    with pytest.raises(StoppedError):
        process.call(os.getpid)


def test_a_signal_that_interrupts_a_call_leaves_no_answer_for_the_next(process):
    process.call(os.getpid)
    interrupting = threading.Timer(1.0, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        process.call(time.sleep, 600)
    with pytest.raises(StoppedError):
        process.call(os.getpid)


def test_it_has_no_terminal(process):
    assert process.call(os.getsid, 0) == process.call(os.getpid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_is_sent_to_all_of_a_service_does_not_end_it(process, number):
    there = process.call(os.getpid)
    os.kill(there, number)
    assert process.call(time.sleep, 0.3) is None
    assert process.call(os.getpid) == there


def test_it_ends_in_the_middle_of_what_it_does_where_the_process_that_started_it_is_killed(tmp_path):
    begun = tmp_path / "begun"
    there = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    code = (
        "import os; from tasks.report_process import ReportProcess; process = ReportProcess()\n"
        f"print(process.call(os.getpid), flush=True); process.call(exec, {there!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        number = int(parent.stdout.readline())
        wait_for(begun.exists)
        assert psutil.pid_exists(number)
        parent.kill()
    wait_for(lambda: not psutil.pid_exists(number))


def test_one_that_was_started_ahead_is_taken_once():
    ahead = start_ahead()
    with started() as first, started() as second:
        assert first is ahead
        assert isinstance(second, ReportProcess)
        assert second is not ahead
