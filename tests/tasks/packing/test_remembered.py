import json

import pytest

from bloodcell.shapes import ModelShape
from tasks.packing.choice import Measurement
from tasks.packing.remembered import Machine, Remembered

ONE = Measurement(slots=1, threads=2, images_per_second=100, startup_seconds=5, memory=2**30)
TWO = Measurement(slots=2, threads=1, images_per_second=141, startup_seconds=6, memory=2**30)


@pytest.fixture
def remembered(tmp_path, small) -> Remembered:
    return Remembered(tmp_path, Machine.here(2), ModelShape.of(small))


def test_what_was_measured_is_found_again_and_more_is_added(remembered):
    remembered.keep(ONE)
    assert remembered.find(1, 2) == ONE
    assert remembered.find(2, 1) is None
    assert remembered.find(1, 1) is None  # with other threads it is another measurement
    remembered.keep(TWO)
    assert remembered.find(2, 1) == TWO
    assert remembered.measurements() == (ONE, TWO)


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b"[]"])
def test_what_a_damaged_file_held_is_measured_anew(remembered, damage):
    remembered.keep(TWO)
    remembered.path.write_bytes(damage)
    assert remembered.find(2, 1) is None
    remembered.keep(ONE)
    assert remembered.measurements() == (ONE,)


def test_figures_that_cannot_be_are_damage(remembered):
    remembered.keep(ONE)
    remembered.path.write_text(remembered.path.read_text().replace("100.0", "0.0"))
    assert remembered.measurements() == ()


def test_what_was_measured_when_shapes_did_not_tell_augmentation_is_not_known(remembered):
    remembered.keep(ONE)
    old = json.loads(remembered.path.read_text())
    del old["shape"]["augmented"]
    remembered.path.write_text(json.dumps(old))
    assert remembered.measurements() == ()
    remembered.keep(TWO)
    assert remembered.measurements() == (TWO,)


def test_augmented_shapes_are_remembered_for_themselves(remembered):
    remembered.keep(ONE)
    shape = remembered.shape.model_copy(update={"augmented": True})
    augmented = Remembered(remembered.cache, remembered.machine, shape)
    assert augmented.find(1, 2) is None
    augmented.keep(TWO)
    assert augmented.measurements() == (TWO,)
    assert remembered.measurements() == (ONE,)


@pytest.mark.parametrize(
    "other", [{"processor": "another"}, {"cores": 3}, {"packages": {"keras": "9"}}, {"code_version": "0"}]
)
def test_another_machine_or_code_is_measured_for_itself(remembered, other):
    remembered.keep(ONE)
    machine = remembered.machine.model_copy(update=other)
    elsewhere = Remembered(remembered.cache, machine, remembered.shape)
    assert elsewhere.path != remembered.path
    assert elsewhere.measurements() == ()
    elsewhere.path.write_bytes(remembered.path.read_bytes())  # a file that says it is of another
    assert elsewhere.measurements() == ()


def test_the_machine_is_told_by_what_makes_it_fast():
    machine = Machine.here(2)
    assert machine.cores == 2
    assert {"keras"} < set(machine.packages) <= {"keras", "tensorflow", "tensorflow-cpu"}
