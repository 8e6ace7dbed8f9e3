"""The process that audits and reports, for what it does and for how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bloodcell.data.dataset import read_info
from bloodcell.errors import ObjectNotFoundError, StoppedError
from tasks.report_process import ReportProcess, report_process, start_ahead
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
    with report_process() as process:
        yield process


def is_running(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


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
    assert "the process that makes the report has ended (-9); it is made here" in caplog.messages


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
    assert not is_running(there)
    with pytest.raises(StoppedError):
        process.call(os.getpid)


def test_a_signal_that_interrupts_a_call_leaves_no_answer_for_the_next(process):
    process.call(os.getpid)
    interrupting = threading.Timer(0.3, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        process.call(time.sleep, 600)
    with pytest.raises(StoppedError):
        process.call(os.getpid)


def test_ctrl_c_in_a_terminal_does_not_reach_it(process):
    assert process.call(os.getpgrp) != os.getpgrp()


def test_it_ends_with_the_process_that_started_it_however_that_ends(tmp_path):
    code = (
        "import os, time; from tasks.report_process import ReportProcess\n"
        "process = ReportProcess(); print(process.call(os.getpid), flush=True); process.call(time.sleep, 600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        there = int(parent.stdout.readline())
        assert is_running(there)
        parent.kill()
    wait_for(lambda: not is_running(there))


def test_one_that_was_started_ahead_is_taken_once():
    ahead = start_ahead()
    with report_process() as first, report_process() as second:
        assert first is ahead
        assert isinstance(second, ReportProcess)
        assert second is not ahead
