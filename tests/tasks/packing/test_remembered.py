import threading
import time

import pytest

from bloodcell.shapes import ModelShape
from tasks.packing.choice import Measurement
from tasks.packing.remembered import Machine, Remembered

ONE = Measurement(slots=1, threads=2, images_per_second=100, startup_seconds=5, memory=2**30)
TWO = Measurement(slots=2, threads=1, images_per_second=141, startup_seconds=6, memory=2**30)


@pytest.fixture
def remembered(tmp_path, small) -> Remembered:
    return Remembered(tmp_path, Machine.here(2), ModelShape.of(small))


def never() -> Measurement:
    raise AssertionError("measured again")


def test_what_was_measured_is_found_again_and_more_is_added(remembered):
    assert remembered.find_or_measure(1, 2, lambda: ONE) == ONE
    assert remembered.find_or_measure(1, 2, never) == ONE
    assert remembered.find(2, 1) is None
    assert remembered.find(1, 1) is None  # with other threads it is another measurement
    assert remembered.find_or_measure(2, 1, lambda: TWO) == TWO
    assert remembered.measurements() == (ONE, TWO)


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b"[]"])
def test_a_damaged_file_is_measured_anew(remembered, damage):
    remembered.find_or_measure(1, 2, lambda: ONE)
    remembered.path.write_bytes(damage)
    assert remembered.find_or_measure(1, 2, lambda: ONE) == ONE
    assert remembered.measurements() == (ONE,)


def test_figures_that_cannot_be_are_damage(remembered):
    remembered.find_or_measure(1, 2, lambda: ONE)
    remembered.path.write_text(remembered.path.read_text().replace("100.0", "0.0"))
    assert remembered.measurements() == ()


@pytest.mark.parametrize(
    "other", [{"processor": "another"}, {"cores": 3}, {"packages": {"keras": "9"}}, {"code_version": "0"}]
)
def test_another_machine_or_code_is_measured_for_itself(remembered, other):
    remembered.find_or_measure(1, 2, lambda: ONE)
    machine = remembered.machine.model_copy(update=other)
    elsewhere = Remembered(remembered.cache, machine, remembered.shape)
    assert elsewhere.path != remembered.path
    assert elsewhere.measurements() == ()
    elsewhere.path.write_bytes(remembered.path.read_bytes())  # a file that says it is of another
    assert elsewhere.measurements() == ()


def test_of_grid_runs_at_one_time_one_measures_and_the_other_waits_for_it(remembered):
    calls = []

    def slow() -> Measurement:
        calls.append(time.monotonic())
        time.sleep(0.5)
        return ONE

    threads = [threading.Thread(target=remembered.find_or_measure, args=(1, 2, slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert remembered.measurements() == (ONE,)


def test_the_machine_is_told_by_what_makes_it_fast():
    machine = Machine.here(2)
    assert machine.cores == 2
    assert {"keras"} < set(machine.packages) <= {"keras", "tensorflow", "tensorflow-cpu"}
