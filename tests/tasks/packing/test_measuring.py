import itertools
import os
import signal
import sys
import threading
import time

import pytest

from bloodcell.errors import BloodcellError, ConfigError, TransientError
from bloodcell.events import Window
from bloodcell.shapes import ModelShape
from tasks.packing import measuring
from tasks.packing.measuring import measure, rate_together
from tasks.runners import ProcessRunner, process


def windows(*edges: float, images=10) -> list[Window]:
    return [Window(began=began, ended=ended, images=images, memory=1) for began, ended in itertools.pairwise(edges)]


def test_only_while_all_train_is_counted():
    first = [*windows(0, 1, 2, images=100), *windows(2, 3, 4, images=10)]  # alone until 2
    second = windows(2, 3, 4, 5, images=20)
    assert rate_together([first, second], seconds=2) == 30
    assert rate_together([second, first], seconds=2) == 30
    assert rate_together([first, second], seconds=2.1) is None


def test_a_window_that_reaches_out_of_the_common_time_is_not_counted():
    first, second = windows(0, 1.5, 3, 4.5), windows(1, 2, 3, 4, images=5)
    assert rate_together([first, second], seconds=3) == pytest.approx(10 / 1.5 + 5)
    assert rate_together([windows(0, 10), windows(1, 5)], seconds=1) is None  # none of the first lies within


def test_nothing_is_told_before_all_have_begun():
    assert rate_together([windows(0, 1, 2), []], seconds=1) is None
    assert rate_together([[]], seconds=1) is None


@pytest.fixture
def shape(small) -> ModelShape:
    return ModelShape.of(small)


@pytest.fixture
def two(settings):
    return settings.model_copy(update={"slots": 2})


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Makes the runner start a script in place of a measurement; all that run one write their ids down."""

    def use(text: str) -> None:
        file = tmp_path / "child.py"
        tell = f"import os; open({str(tmp_path)!r} + f'/pid-{{os.getpid()}}', 'w').close()\n"
        file.write_text(tell + text)
        monkeypatch.setattr(process, "measuring_command", lambda shape: [sys.executable, str(file)])

    return use


def started(tmp_path) -> list[int]:
    return [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


TRAINING = """
import itertools, time
for _ in itertools.count():
    began = time.monotonic()
    time.sleep(0.05)
    print('{"event":"window","began":%f,"ended":%f,"images":5,"memory":7}' % (began, time.monotonic()), flush=True)
"""


def test_processes_are_ended_once_they_have_told_enough(two, script, shape, tmp_path):
    script(TRAINING)
    made = measure(shape, two, ProcessRunner, seconds=1.0)
    assert (made.slots, made.threads, made.memory) == (2, 1, 7)
    assert 0 < made.images_per_second <= 200  # two times five in a twentieth of a second, or less on a busy machine
    assert len(started(tmp_path)) == 2
    assert not any(map(runs, started(tmp_path)))


def test_a_process_that_fails_ends_the_others_and_says_why(two, script, shape, tmp_path):
    script(
        f"import pathlib, sys\nif len(list(pathlib.Path({str(tmp_path)!r}).glob('pid-*'))) == 2:\n"
        '    print(\'{"event": "error", "problem": "p", "remedy": "r"}\'); sys.exit(78)\n' + TRAINING
    )
    with pytest.raises(ConfigError, match="p"):
        measure(shape, two, ProcessRunner, seconds=60)
    assert not any(map(runs, started(tmp_path)))


def test_a_killed_process_is_told_as_such(two, script, shape):
    script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(BloodcellError, match="killed by SIGKILL"):
        measure(shape, two, ProcessRunner)


def test_a_process_that_ends_by_itself_is_an_error(two, script, shape):
    script("")
    with pytest.raises(BloodcellError, match="ended by itself"):
        measure(shape, two, ProcessRunner)


def test_patience_ends(two, script, shape, tmp_path, monkeypatch):
    script("import time; time.sleep(600)")
    monkeypatch.setattr(measuring, "_PATIENCE_SECONDS", 1.0)
    with pytest.raises(TransientError, match="within 1 s"):
        measure(shape, two, ProcessRunner)
    assert not any(map(runs, started(tmp_path)))


def test_an_interrupted_measurement_leaves_no_process(two, script, shape, tmp_path):
    script(TRAINING)

    def interrupt() -> None:
        while len(started(tmp_path)) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        measure(shape, two, ProcessRunner, seconds=600)
    thread.join()
    assert not any(map(runs, started(tmp_path)))
