import os
import subprocess
import time

import pytest

from benchmarks.measuring import in_child, run_command


def hold(size, seconds):
    held = b"x" * size  # read, and so resident
    return lambda: time.sleep(seconds) or held


def test_a_child_is_timed_while_it_works_and_its_own_memory_is_seen():
    small, large = in_child(hold, 1, 0.2), in_child(hold, 200_000_000, 0.2)
    assert 0.2 <= small.seconds < 2
    assert 150e6 < large.memory - small.memory < 250e6


def test_what_a_child_only_prepares_is_not_timed():
    assert in_child(_slow_to_prepare).seconds < 0.2


def _slow_to_prepare():
    time.sleep(0.4)
    return int


def test_a_command_is_timed():
    assert run_command(["-c", "import time; time.sleep(0.2)"], os.environ).seconds >= 0.2


def test_a_command_that_fails_says_why(capsys):
    with pytest.raises(subprocess.CalledProcessError):
        run_command(["-c", "raise SystemExit('no such archive')"], os.environ)
    assert "no such archive" in capsys.readouterr().err
