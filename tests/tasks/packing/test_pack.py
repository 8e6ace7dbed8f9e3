"""What is measured for a plan, and how its experiments are packed then."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from bloodcell.config import GridConfig
from bloodcell.errors import ConfigError, StoppedError
from bloodcell.shapes import ModelShape
from tasks import packing
from tasks.packing import calibration, pack
from tasks.packing.choice import Measurement
from tasks.packing.measuring import MEASURED_SECONDS
from tasks.packing.remembered import Machine, Remembered
from tasks.plan import plan
from tasks.runners import ProcessRunner

GIB = 2**30


@pytest.fixture
def planned(store, coloured, small):
    """Makes a plan of rows that train for a night, in hundreds of epochs."""

    def make(*hundreds: int, done: tuple[int, ...] = (), **fields):
        base = small.model_dump(exclude_defaults=True) | fields
        rows = {
            f"row-{place}": {"epochs": 100 * number, "dropout": place / 100} for place, number in enumerate(hundreds)
        }
        made = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))
        runs = tuple(replace(run, done=place in done) for place, run in enumerate(made.runs))
        return replace(made, runs=runs)

    return make


class Machinery:
    """Stands in for measuring processes on a machine of four cores."""

    def __init__(self, rates: dict[int, float], memory: int, of: dict[str, dict[int, float]]) -> None:
        """The rates by slots; `of` has those of networks of a width, by its text."""
        self.rates, self.memory, self.of = rates, memory, of
        self.measured: list[tuple[str, int]] = []
        self.lines: list[str] = []

    def measure(self, shape, settings, start) -> Measurement:
        slots = settings.concurrent
        self.measured.append((str(shape), slots))
        rates = next((own for width, own in self.of.items() if f"({width})" in str(shape)), self.rates)
        if slots not in rates:
            raise ConfigError("p", remedy="r")
        return Measurement(
            slots=slots, threads=settings.threads_per_experiment, images_per_second=rates[slots],
            startup_seconds=5, memory=self.memory,
        )  # fmt: skip

    def pack(self, settings, plan):
        return pack(settings, plan, ProcessRunner, self.lines.append)

    @property
    def numbers(self) -> list[int]:
        return [slots for _, slots in self.measured]


@pytest.fixture
def machine(monkeypatch, settings):
    def make(rates, memory=GIB, available=64 * GIB, of=None) -> Machinery:
        made = Machinery(rates, memory, of or {})
        monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda seconds: 0.0)
        monkeypatch.setattr(calibration, "measure", made.measure)
        monkeypatch.setattr(calibration, "cpus", lambda: 4)
        monkeypatch.setattr(packing, "cpus", lambda: 4)
        monkeypatch.setattr(packing, "available_memory", lambda: available)
        return made

    monkeypatch.delenv("BLOODCELL_THREADS")
    return make


@pytest.fixture
def auto(settings):
    return settings.model_copy(update={"threads": None})


def test_the_fastest_number_is_found_and_remembered(machine, auto, planned):
    first = machine({1: 100, 2: 150, 4: 200})
    packed, _ = first.pack(auto, planned(*[9] * 8))
    assert (packed.slots, packed.concurrent, first.numbers) == (4, 4, [1, 2, 4])
    assert any("images/s" in line for line in first.lines)
    chosen, *others = re.findall("(\\d) experiments? at .*?: about ([0-9:]+)", first.lines[-1])
    assert chosen[0] == "4"
    assert [slots for slots, _ in others] == ["2", "1"]
    assert chosen[1] < others[0][1] < others[1][1]
    again = machine({})
    packed, _ = again.pack(auto, planned(*[9] * 8))
    assert (packed.slots, again.measured) == (4, [])


def test_more_at_once_is_not_tried_once_it_was_slower(machine, auto, planned):
    measured = machine({1: 100, 2: 90, 4: 500})
    packed, _ = measured.pack(auto, planned(*[9] * 8))
    assert (packed.slots, measured.numbers) == (1, [1, 2])


def test_more_at_once_is_not_tried_than_memory_has_room_for(machine, auto, planned):
    measured = machine({1: 100, 2: 150, 4: 200}, memory=2 * GIB, available=7 * GIB)
    packed, _ = measured.pack(auto, planned(*[9] * 8))
    assert (packed.slots, measured.numbers) == (2, [1, 2])
    assert any("2.0 GiB were held in training, of 7.0 free: no room for 4 at once" in line for line in measured.lines)


def test_memory_is_looked_at_anew_each_time(machine, auto, planned):
    machine({1: 100, 2: 150, 4: 200}, memory=2 * GIB).pack(auto, planned(*[9] * 8))
    busy = machine({}, available=7 * GIB)
    assert busy.pack(auto, planned(*[9] * 8))[0].slots == 2


@pytest.mark.parametrize(
    ("hundreds", "done"), [((9,), ()), ((9, 9), (0, 1)), ((9, 9, 9), (0, 2))], ids=["one", "none left", "one left"]
)
def test_nothing_is_measured_where_there_is_nothing_to_pack(machine, auto, planned, hundreds, done):
    measured = machine({1: 100, 2: 150, 4: 200})
    packed, _ = measured.pack(auto, planned(*hundreds, done=done))
    assert (packed.slots, measured.measured, measured.lines) == (1, [], [])


def test_nothing_is_measured_where_the_work_is_over_sooner(machine, auto, planned, small):
    measured = machine({1: 100, 2: 150, 4: 200})
    plan = planned(1, 1)
    config = small.model_copy(update={"epochs": 1})
    runs = [replace(run, spec=run.spec.model_copy(update={"config": config})) for run in plan.runs]
    packed, _ = measured.pack(auto, replace(plan, runs=(runs[0], runs[1])))
    assert (packed.slots, measured.measured) == (1, [])
    assert "too little is to be trained" in measured.lines[-1]


def test_the_rest_is_not_measured_where_the_first_shows_that_the_work_is_soon_over(machine, auto, planned):
    measured = machine({1: 1e6, 2: 2e6, 4: 4e6})
    packed, _ = measured.pack(auto, planned(9, 9, 9, backbone="VGG16", width=1.0))  # expected to take long
    assert (packed.slots, measured.numbers) == (1, [1])
    assert 5 + MEASURED_SECONDS > 3 * 5 / 2  # half of what the three take is less than what one more measurement does


def test_each_shape_is_measured_and_one_number_serves_all(machine, auto, store, coloured, small):
    base = small.model_dump(exclude_defaults=True) | {"epochs": 5000}
    rows = {f"{width}-{units}": {"width": width, "dense_units": units} for width in (0.25, 0.5) for units in (8, 9)}
    made = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))
    measured = machine({1: 100, 2: 150, 4: 200})
    assert measured.pack(auto, made)[0].slots == 4
    assert measured.measured == [
        (f"MobileNet({width}) at 32 px, batch 16", slots) for width in (0.25, 0.5) for slots in (1, 2, 4)
    ]


def test_a_measurement_that_fails_costs_no_experiment(machine, auto, planned):
    measured = machine({1: 100})  # two at once fail
    packed, _ = measured.pack(auto, planned(*[9] * 8))
    assert (packed.slots, measured.numbers) == (1, [1, 2])
    assert any("could not be measured: p" in line for line in measured.lines)
    none = machine({})
    assert none.pack(auto, planned(*[9] * 8, image_size=64))[0].slots == 1


@pytest.mark.parametrize(("rates", "slots", "numbers"), [({1: 100, 2: 150}, 2, [1, 2, 4]), ({}, 1, [1])])
def test_where_one_shape_fails_none_runs_with_as_many_and_where_it_fails_alone_no_other_is_tried(
    machine, auto, store, coloured, small, rates, slots, numbers
):
    base = small.model_dump(exclude_defaults=True) | {"epochs": 5000}
    rows = {f"{width}-{units}": {"width": width, "dense_units": units} for width in (0.25, 0.5) for units in (8, 9)}
    made = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))
    measured = machine({1: 100, 2: 150, 4: 400}, of={"0.25": rates})
    assert measured.pack(auto, made)[0].slots == slots
    assert [slots for shape, slots in measured.measured if "0.25" in shape] == numbers
    assert any("0.5" in shape for shape, _ in measured.measured) == bool(rates)


def test_nothing_is_measured_beside_other_work_that_stays(machine, auto, planned, monkeypatch):
    measured, plan = machine({1: 100, 2: 150, 4: 200}), planned(*[9] * 8)
    looks = iter([60.0] * 4 + [60.0, 60.0, 10.0] + [10.0] * 9)
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda seconds: next(looks))
    assert measured.pack(auto, plan)[0].slots == 1
    assert measured.numbers == []
    assert "other work takes 60% of the cores" in measured.lines[-1]
    assert measured.pack(auto, plan)[0].slots == 4
    assert measured.numbers == [1, 2, 4]


def test_what_is_imported_ahead_is_no_other_work(machine, auto, planned, monkeypatch):
    measured, imported = machine({1: 100, 2: 150, 4: 200}), []
    monkeypatch.setattr(calibration, "wait_until_warm", imported.append)
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda seconds: 0.0 if imported else 60.0)
    assert measured.pack(auto, planned(*[9] * 8))[0].slots == 4
    assert imported[0] == auto.stall_limit


def test_what_is_remembered_counts_on_a_busy_machine_too(machine, auto, planned, monkeypatch):
    machine({1: 100, 2: 150, 4: 200}).pack(auto, planned(*[9] * 8))
    busy = machine({})
    monkeypatch.setattr(calibration.psutil, "cpu_percent", lambda seconds: 60.0)
    assert busy.pack(auto, planned(*[9] * 8))[0].slots == 4


def test_of_grid_runs_at_one_time_one_measures_and_the_others_wait_for_it(machine, auto, planned, monkeypatch):
    measured, plan = machine({1: 100, 2: 150, 4: 200}), planned(*[9] * 8)

    def slow(*arguments) -> Measurement:
        time.sleep(0.2)
        return measured.measure(*arguments)

    monkeypatch.setattr(calibration, "measure", slow)
    with ThreadPoolExecutor(3) as pool:
        packed = list(pool.map(lambda _: measured.pack(auto, plan)[0].slots, range(3)))
    assert (packed, measured.numbers) == ([4, 4, 4], [1, 2, 4])


def test_a_cache_that_cannot_be_written_costs_no_experiment(machine, auto, planned, tmp_path):
    (tmp_path / "file").touch()
    measured = machine({1: 100, 2: 150, 4: 200})
    packed, _ = measured.pack(auto.model_copy(update={"cache": tmp_path / "file"}), planned(*[9] * 8))
    assert packed.slots == 1
    assert "could not be measured: [Errno" in measured.lines[-1]


def test_being_stopped_is_not_taken_for_a_failure(machine, auto, planned, monkeypatch):
    measured = machine({1: 100})

    def stopped(*_):
        raise StoppedError("p", remedy="r")

    monkeypatch.setattr(calibration, "measure", stopped)
    with pytest.raises(StoppedError):
        measured.pack(auto, planned(*[9] * 8))


@pytest.mark.parametrize(
    ("fields", "concurrent"),
    [
        ({"slots": 3}, 3),
        ({"runner": "docker"}, 1),
        ({"runner": "docker", "gpus": ("0", "1"), "gpu_slots": 2}, 4),
        ({"runner": "work_pool"}, 64),
    ],
)
def test_elsewhere_nothing_is_measured_and_the_longest_start_first_all_the_same(
    machine, auto, planned, fields, concurrent
):
    measured = machine({1: 100, 2: 150, 4: 200})
    packed, ordered = measured.pack(auto.model_copy(update=fields), planned(1, 9, 5, 9, done=(1,)))
    assert (packed.concurrent, measured.measured, measured.lines) == (concurrent, [], [])
    assert [run.name for run in ordered.runs] == ["row-3", "row-2", "row-0", "row-1"]


def test_of_what_goes_on_only_what_is_left_counts(machine, auto, planned):
    plan = planned(9, 8, 7, done=(2,))
    longest, other, done = plan.runs
    nearly_over = replace(plan, over={longest.spec.key: 899})
    _, ordered = machine({}).pack(auto.model_copy(update={"slots": 2}), nearly_over)
    assert ordered.runs == (other, longest, done)
    _, ordered = machine({}).pack(auto.model_copy(update={"slots": 2}), replace(plan, over={longest.spec.key: 900}))
    assert ordered.runs == (other, longest, done)  # scoring and pictures are still to come
    _, ordered = machine({1: 100, 2: 150, 4: 200}).pack(auto, nearly_over)
    assert ordered.runs == (other, longest, done)


def test_a_run_is_expected_to_last_as_long_as_what_is_left(machine, auto, planned):
    def expected(plan) -> timedelta:
        measured = machine({1: 100, 2: 110})
        measured.pack(auto, plan)
        hours, minutes, seconds = map(int, re.findall("about (\\d+):(\\d+):(\\d+)", measured.lines[-1])[0])
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)

    plan = planned(*[20] * 8)
    half_over = replace(plan, over={run.spec.key: 1000 for run in plan.runs})
    assert expected(half_over) == pytest.approx(expected(plan) / 2, rel=0.1)


def test_of_unlike_shapes_the_dearest_start_first(auto, store, coloured, small):
    base = small.model_dump(exclude_defaults=True, exclude={"backbone", "width"}) | {"image_size": 96}
    rows = {name.lower(): {"backbone": name} for name in ("MobileNet", "InceptionV3", "VGG16", "ResNet50")}
    made = plan(store, GridConfig(name="g", dataset="coloured", base=base, experiments=rows))
    _, ordered = pack(auto.model_copy(update={"runner": "work_pool"}), made, ProcessRunner, print)
    # Inception's native size is larger than ResNet's: pixel for pixel it is the cheaper.
    assert [run.name for run in ordered.runs] == ["vgg16", "resnet50", "inceptionv3", "mobilenet"]


def test_for_real(settings, planned):
    """Two processes that train side by side; what they tell is remembered and used again."""
    settings = settings.model_copy(update={"slots": 2})
    shape = ModelShape.of(planned(1).runs[0].spec.config)
    remembered = Remembered(settings.cache, Machine.here(2), shape)
    began = time.monotonic()
    made = calibration.measure(shape, settings, ProcessRunner, seconds=2.0)
    remembered.keep(made)
    assert (made.slots, made.threads) == (2, 1)
    assert made.images_per_second > 0
    assert 0 < made.startup_seconds < time.monotonic() - began - 2
    assert 200 * 2**20 < made.memory < 8 * GIB  # TensorFlow alone holds more than the least
    assert remembered.find(2, 1) == made
