import pytest
from pydantic import ValidationError

from benchmarks.results import Figure, read_results, save
from bloodcell.errors import CorruptObjectError


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        ({"at_least": 1.6}, True),
        ({"at_least": 1.61}, False),
        ({"at_most": 1.6}, True),
        ({"at_most": 1.59}, False),
        ({}, None),
    ],
)
def test_a_figure_clears_its_bar_or_does_not(bar, met):
    assert Figure(key="speed", text="speed", value=1.6, unit="x", **bar).met is met


@pytest.mark.parametrize(
    ("value", "unit", "bar", "shown"),
    [
        (1.034, "x", {"at_most": 1.03}, "1.034x"),
        (1.026, "x", {"at_most": 1.03}, "1.03x"),
        (1.096, "x", {"at_least": 1.1}, "1.096x"),
        (1.0304, "x", {"at_most": 1.03}, "1.0304x"),
        (1.034, "x", {}, "1.03x"),
        (-0.04, "points", {"at_least": 0}, "-0.04 points"),
        (5.04, "s", {"at_most": 5}, "5.04 s"),
        (15.04, "s", {"at_most": 5}, "15.0 s"),
    ],
)
def test_a_figure_that_misses_its_bar_is_not_rounded_onto_it(value, unit, bar, shown):
    assert Figure(key="speed", text="speed", value=value, unit=unit, **bar).shown == shown


@pytest.mark.parametrize(
    ("interval", "met", "shown"),
    [
        ((-5.9, 4.7), True, "-0.6 points (-5.9 to +4.7)"),
        ((-5.9, -0.04), False, "-0.60 points (-5.90 to -0.04)"),
    ],
)
def test_a_bar_is_missed_where_the_whole_interval_misses(interval, met, shown):
    figure = Figure(key="right", text="accuracy", value=-0.6, unit="points", interval=interval, at_least=0)
    assert (figure.met, figure.shown) == (met, shown)
    assert figure.bar == "at least +0.0 points, within the interval"
    assert figure.model_copy(update={"at_least": None, "at_most": -5}).met is True


def test_a_figure_has_one_bar():
    with pytest.raises(ValidationError, match="two bars"):
        Figure(key="speed", text="speed", value=1.6, at_least=1, at_most=2)


def test_a_result_is_read_as_it_was_saved(tmp_path, capsys):
    figure = Figure(key="speed", text="speed", value=1.5, unit="x", at_least=1.6)
    saved = save("fast", "How.\n\n    Indented.", tmp_path, images="none", settings={"rounds": 3}, figures=[figure])
    assert read_results(tmp_path) == [saved]
    assert saved.machine["cores"] > 0
    assert "speed: 1.50x (at least 1.60x: NOT MET)" in capsys.readouterr().out


def test_a_damaged_result_is_named(tmp_path):
    (tmp_path / "fast.json").write_text('{"benchmark": "fast"}')
    with pytest.raises(CorruptObjectError, match=r"fast\.json.*is not valid"):
        read_results(tmp_path)
