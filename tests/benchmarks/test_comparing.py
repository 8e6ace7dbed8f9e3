import time
from functools import partial

import pytest

from benchmarks.comparing import Difference, Side, Turns, alternate, by_start


def test_measures_take_turns_and_change_their_order():
    called = []
    seconds = alternate({"a": lambda: called.append("a") or 1.0, "b": lambda: called.append("b") or 2.0}, rounds=3)
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert seconds == {"a": [1.0] * 3, "b": [2.0] * 3}


class Counted:
    """A side whose portions take so many seconds, more with each start."""

    def __init__(self, name: str, log: list[str]) -> None:
        log.append(name)
        self.seconds = float(ord(name) - ord("a") + 1) * log.count(name)

    def turn(self) -> float:
        return self.seconds

    def __enter__(self) -> "Counted":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_sides_are_started_anew_each_time_by_turns():
    log: list[str] = []
    turns = Turns.take({name: partial(Counted, name, log) for name in "abc"}, starts=2, rounds=3)
    assert log == ["a", "b", "c", "b", "c", "a"]
    assert turns.starts == ({"a": [1] * 3, "b": [2] * 3, "c": [3] * 3}, {"a": [2] * 3, "b": [4] * 3, "c": [6] * 3})
    assert turns.seconds("b") == 3


def test_a_ratio_by_start_is_the_median_of_its_rounds():
    turns = Turns(({"a": [2, 3, 100], "b": [1, 1, 10]}, {"a": [5], "b": [1]}))
    assert turns.ratios("a", "b") == [3, 5]
    assert by_start(turns.ratios("a", "b")) == "3.000 5.000"


def test_the_interval_of_a_difference_is_students():
    change = Difference.of([0.5, 0.7, 0.9], [0.4, 0.5, 0.6])  # differences 0.1, 0.2, 0.3
    half = 4.302653 * 0.1 / 3**0.5
    assert (change.mean, change.low, change.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))


def test_a_side_works_when_it_is_its_turn():
    with Side(partial, time.sleep, 0.2) as side:
        assert side.turn() >= 0.2
        assert side.turn() >= 0.2
