import pytest

from bloodcell.config import ExperimentConfig
from bloodcell.formatting import (
    amounts,
    clock,
    counted,
    duration,
    from_to,
    listed,
    milliseconds,
    number,
    odds_text,
    percent,
    points,
    runs_text,
    setting_text,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3200.448415, "0:53:20"),
        (0, "0:00:00"),
        (59.9999999, "0:01:00"),
        (36 * 3600 + 0.25, "36:00:00"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_a_duration_is_in_seconds_and_a_long_one_by_the_clock_too():
    assert duration(3200.448415) == "3,200.448 s (0:53:20)"
    assert duration(9.5) == "9.500 s"


def test_milliseconds_are_the_whole_duration():
    assert milliseconds(3200.448415) == 3_200_448


@pytest.mark.parametrize(
    ("value", "text"), [(1e-5, "1e-5"), (5e-5, "5e-5"), (1e-4, "1e-4"), (1.5e-7, "1.5e-7"), (0.001, "0.001"), (0, "0")]
)
def test_numbers_read_as_people_write_them(value, text):
    assert number(value) == text


def test_fractions_become_percent_and_points():
    assert (percent(0.8248), percent(1), percent(0.00004)) == ("82.48%", "100.00%", "0.00%")
    assert (points(0.004), points(-0.4908)) == ("+0.40", "\N{MINUS SIGN}49.08")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (0.0001, "+0.01"),
        (0.00004, "+0.004"),
        (-0.00004, "\N{MINUS SIGN}0.004"),
        (-0.00000012, "\N{MINUS SIGN}0.00001"),
        (0.0, "0.00"),
        (-0.0, "0.00"),
        (1e-17, "0.00"),
    ],
)
def test_points_show_on_which_side_of_zero_they_lie(change, text):
    assert points(change) == text


def test_lists_and_counts():
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [counted(number, "row") for number in (0, 1, 2500)] == ["0 rows", "1 row", "2,500 rows"]


def test_values_come_with_what_they_are():
    assert amounts("hidden_layers", ["1", "2", "3"]) == "1, 2 and 3 hidden layers"
    assert amounts("hidden_layers", ["1"]) == "1 hidden layer"
    assert amounts("learning_rate", ["1e-5", "1e-4"]) == "learning rate 1e-5 and 1e-4"
    assert from_to("dense_units", "8", "16") == "from 8 to 16 dense units"
    assert from_to("hidden_layers", "0", "1") == "from 0 to 1 hidden layer"
    assert from_to("learning_rate", "1e-5", "1e-4") == "from 1e-5 to 1e-4"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([3], "3"), ([0, 1], "0 and 1"), ([0, 1, 2], "0 to 2"), ([0, 1, 2, 5, 7, 8], "0 to 2, 5, 7 and 8")],
)
def test_numbers_in_a_row_are_a_range(numbers, text):
    assert runs_text(numbers) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0004, "p < 0.001"),
        (0.0213, "p = 0.021"),
        (0.5, "p = 0.50"),
        (0.0498, "p = 0.0498"),
        (0.0502, "p = 0.0502"),
        (0.049996, "p = 0.049996"),
        (0.05, "p = 0.050"),
    ],
)
def test_odds_have_as_many_digits_as_say_something(p, text):
    assert odds_text(p) == text


def test_settings_say_what_counts():
    config = ExperimentConfig(backbone="MobileNet", weights="none", early_stopping={"patience": 2})
    assert setting_text(config, "image_size") == "224"
    stored = config.model_copy(update={"weights": "weights/6cb1965ec2e8-a.weights.h5"})
    assert setting_text(stored, "weights") == "6cb1965ec2e8-a.weights.h5"
    assert setting_text(config, "augmentation") == "none"
    assert setting_text(config, "early_stopping") == "monitor val_loss, patience 2, min delta 0, restore best yes"
