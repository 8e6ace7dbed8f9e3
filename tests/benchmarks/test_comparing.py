import time
from functools import partial

import pytest

from benchmarks.comparing import Difference, Ratio, Side, alternate


def test_measures_take_turns_and_change_their_order():
    called = []
    seconds = alternate({"a": lambda: called.append("a") or 1.0, "b": lambda: called.append("b") or 2.0}, rounds=3)
    assert called == ["a", "b", "b", "a", "a", "b"]
    assert seconds == {"a": [1.0] * 3, "b": [2.0] * 3}


def test_a_ratio_is_the_median_of_those_taken_round_by_round():
    ratio = Ratio.of([2, 3, 100], [1, 1, 10])
    assert ratio == Ratio(median=3, low=2, high=10)
    assert str(ratio) == "3.00 (2.00 to 10.00)"


def test_the_interval_of_a_difference_is_students():
    change = Difference.of([0.5, 0.7, 0.9], [0.4, 0.5, 0.6])  # differences 0.1, 0.2, 0.3
    half = 4.302653 * 0.1 / 3**0.5
    assert (change.mean, change.low, change.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))


def test_a_side_works_when_it_is_its_turn():
    with Side(partial, time.sleep, 0.2) as side:
        assert side.turn() >= 0.2
        assert side.turn() >= 0.2
