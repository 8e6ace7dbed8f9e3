"""Verdicts on nights whose truth is known."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import numpy as np
import pytest
from scipy.special import expit

from bloodcell.config import GridConfig
from bloodcell.history import reference
from bloodcell.report.night_plot import night_plot
from bloodcell.report.night_texts import night_line, night_text
from bloodcell.report.nights import expected, judge
from tests.report.conftest import Figures, build

ROWS = "abcdefg"
START = datetime(2026, 11, 1, tzinfo=UTC)
ODDS = np.linspace(0.3, 2.5, len(ROWS))


@pytest.fixture(scope="module")
def result():
    """Makes a training that measured an accuracy on the test."""
    grid = GridConfig(name="g", experiments={"a": {}})
    example = build(grid, {"a": Figures(dict.fromkeys(("train", "validation", "test"), 0.5))})
    (like,) = example.results.values()

    def of(accuracy: float, number: int = 0, code: str = "c", **config):
        test = like.metrics["test"].model_copy(update={"accuracy": accuracy})
        config = like.spec.config.model_copy(update=config)
        spec = like.spec.model_copy(update={"config": config, "code_version": code})
        finished = START + timedelta(days=number)
        return like.model_copy(update={"metrics": {"test": test}, "spec": spec, "finished": finished})

    return of


def nights(rng, result, number, spread):
    """As many trainings of each row; the last is tonight's. `spread` of all, or of each."""
    values = expit(ODDS[:, None] + rng.normal(0, spread, (len(ROWS), number + 1)))
    drawn = dict(zip(ROWS, values, strict=True))
    earlier = {row: [result(value, n) for n, value in enumerate(values[:-1])] for row, values in drawn.items()}
    return {row: [result(values[-1], number)] for row, values in drawn.items()}, earlier


@pytest.mark.parametrize("number", [2, 5, 20])
def test_of_equal_nights_one_in_twenty_at_most_is_called_better_or_worse(result, number):
    rng, alarms, trials = np.random.default_rng(number), 0, 150
    for _ in range(trials):
        verdicts = judge(*nights(rng, result, number, spread=0.2))
        alarms += any(verdict.verdict != "within noise" for verdict in verdicts)
    assert alarms / trials <= 0.09, alarms / trials


def test_of_rows_that_vary_unlike_a_collapse_is_found_and_one_night_in_ten_alarms(result):
    # From 0.05 to 0.8: the widest row is the one that falls.
    spreads = np.geomspace(0.05, 0.8, len(ROWS))[:, None]
    for number, least, most in ((2, 0.75, 0.17), (3, 0.85, 0.15), (5, 0.9, 0.12)):
        rng, found, alarms, trials = np.random.default_rng(number), 0, 0, 150
        for _ in range(trials):
            tonight, earlier = nights(rng, result, number, spreads)
            alarms += any(verdict.verdict != "within noise" for verdict in judge(tonight, earlier))
            found += judge(tonight | {"g": [result(0.25)]}, earlier)[-1].verdict == "worse"
        assert found / trials >= least, (number, found)
        assert alarms / trials <= most, (number, alarms)


def test_a_row_that_breaks_erratically_is_not_excused_by_its_own_scatter(result):
    # Three seeds of rows of the real grid; tonight two trainings of one that sometimes learns nothing.
    earlier = {
        row: [result(value, n) for n, value in enumerate(values)]
        for row, values in {"a": (0.42, 0.44, 0.425), "b": (0.82, 0.70, 0.82), "c": (0.26, 0.25, 0.25)}.items()
    }
    tonight = {"a": [result(0.43)], "b": [result(0.25), result(0.45)], "c": [result(0.25)]}
    assert [verdict.verdict for verdict in judge(tonight, earlier)] == ["within noise", "worse", "within noise"]


def test_a_lucky_night_makes_no_later_night_worse(result):
    # A chance alarm is a matter of one night; what made later nights worse would be a row's measure.
    rng, longest, alarms, years, days = np.random.default_rng(8), [], 0, 4, 40
    grid = GridConfig(name="g", experiments={row: {"dense_units": n + 1} for n, row in enumerate(ROWS)})
    like = build(grid, {row: Figures(dict.fromkeys(("train", "validation", "test"), 0.5)) for row in ROWS}).run
    for _ in range(years):
        results, published, streak = {}, [], dict.fromkeys(ROWS, 0)
        for day in range(days):
            for row, odds in zip(ROWS, ODDS, strict=True):
                results[f"{row}{day}"] = result(expit(odds + 0.2 * rng.standard_t(4)), day)
            rows = tuple(row.model_copy(update={"key": f"{row.name}{day}", "status": "trained"}) for row in like.rows)
            run = like.model_copy(update={"rows": rows, "nightly": "compare", "verdicts": ()})
            earlier = {
                row.name: [results[key] for key in sorted(reference(row, run, published), key=lambda key: int(key[1:]))]
                for row in rows
            }
            verdicts = judge({row.name: [results[row.key]] for row in rows}, earlier)
            for verdict in verdicts:
                streak[verdict.row] = streak[verdict.row] + 1 if verdict.verdict == "worse" else 0
            alarms += any(verdict.verdict == "worse" for verdict in verdicts)
            longest.append(max(streak.values()))
            published.insert(0, run.model_copy(update={"verdicts": verdicts}))
    assert max(longest) <= 2
    assert 0 < alarms <= years * days * 0.15


def test_a_row_that_broke_is_worse_and_its_size_told(result):
    rng = np.random.default_rng(1)
    for _ in range(10):
        tonight, earlier = nights(rng, result, 3, spread=0.2)
        tonight["g"] = [result(0.25, 3, learning_rate=1.0)]
        *others, broken = judge(tonight, earlier)
        assert broken.verdict == "worse"
        assert broken.change < -0.5
        assert broken.changed == ("learning_rate",)
    assert night_text(broken) == f"g by \N{MINUS SIGN}{-100 * broken.change:.2f} points (changed: learning rate)"
    assert night_line(broken)[1] == "worse (changed: learning rate)"
    assert len(others) == 6


def test_a_change_of_the_code_since_the_last_training_is_named(result):
    earlier = {"a": [result(0.9 + n / 1000, n, code="old" if n < 3 else "c") for n in range(5)]}
    assert judge({"a": [result(0.9, 5)]}, earlier)[0].changed == ()
    (verdict,) = judge({"a": [result(0.3, 5, code="new", epochs=20)]}, earlier)
    assert verdict.changed == ("epochs", "code")
    assert night_line(verdict)[1] == "worse (changed: epochs and code)"


def test_a_row_that_got_better_is_told_so(result):
    earlier = {row: [result(0.5 + n / 1000, n) for n in range(3)] for row in "ab"}
    better, same = judge({"a": [result(0.9)], "b": [result(0.501)]}, earlier)
    assert (better.verdict, same.verdict) == ("better", "within noise")


@pytest.mark.parametrize(("rows", "number"), [("a", 1), ("a", 2), ("abcdefg", 1)])
def test_with_too_few_trainings_there_is_no_verdict(result, rows, number):
    earlier = {row: [result(0.9, n) for n in range(number)] for row in rows}
    verdicts = judge({row: [result(0.1)] for row in rows}, earlier)
    assert {verdict.verdict for verdict in verdicts} == {"too early"}
    assert {verdict.wanted for verdict in verdicts} == {3 if rows == "a" else 2}
    assert expected({row: [result(0.1)] for row in rows}, earlier) == {}


@pytest.mark.parametrize("rows", ["a", "ab", "abcdefg"])
def test_there_is_a_verdict_from_when_it_was_announced(result, rows):
    tonight = {row: [result(0.9)] for row in rows}
    announced = judge(tonight, {})[0].wanted
    for number in range(announced + 1):
        verdicts = judge(tonight, {row: [result(0.9, n) for n in range(number)] for row in rows})
        assert {verdict.verdict for verdict in verdicts} == {"too early" if number < announced else "within noise"}
    assert night_line(judge(tonight, {})[0])[1] == f"too early: wants {announced} earlier trainings"


def test_a_row_without_a_past_is_not_judged_and_does_not_keep_others_from_it(result):
    earlier = {"a": [result(0.9 + n / 1000, n) for n in range(4)]}
    old, new = judge({"a": [result(0.3)], "b": [result(0.3)]}, earlier)
    assert (old.verdict, new.verdict, new.earlier) == ("worse", "too early", 0)
    assert night_line(new)[1] == "too early: wants 1 earlier training"


def test_a_row_that_was_not_trained_tonight_has_no_verdict(result):
    earlier = {row: [result(0.9 + n / 1000, n) for n in range(4)] for row in "ab"}
    assert [verdict.row for verdict in judge({"a": [result(0.9)], "b": []}, earlier)] == ["a"]


def test_equal_figures_are_noise_however_often_they_were_measured(result):
    earlier = {"a": [result(0.9, n) for n in range(10)]}
    (verdict,) = judge({"a": [result(0.9)]}, earlier)
    assert (verdict.verdict, verdict.change) == ("within noise", 0)
    # One image of 2,500 more is less than chance.
    assert judge({"a": [result(0.9004)]}, earlier)[0].verdict == "within noise"


def test_tonight_was_to_be_expected_nineteen_times_in_twenty(result):
    rng, held, trials = np.random.default_rng(5), 0, 100
    for _ in range(trials):
        tonight, earlier = nights(rng, result, 5, spread=0.2)
        for row, found in expected(tonight, earlier).items():
            accuracy = tonight[row][0].metrics["test"].accuracy
            held += found.low <= accuracy <= found.high
            assert found.low < found.mean < found.high
    assert 0.93 <= held / (trials * len(ROWS)) <= 0.99


@pytest.mark.parametrize("rows", ["a", "abcdefg", [f"row-{n}" for n in range(40)]])
def test_nights_are_drawn(result, rows):
    earlier = {row: [result(0.8 + n / 100, n) for n in range(3)] for row in rows}
    tonight = {row: [result(0.7, 3)] for row in rows}
    drawn = night_plot(tonight, earlier, expected(tonight, earlier), frozenset(rows[:1]), "t")
    assert drawn.startswith(b"\x89PNG")


@pytest.fixture
def axes_of(result, monkeypatch):
    """Draws nights of rows, so many hours apart, and gives the titles and the ticks of the panels, in order."""
    drawn = []
    module = import_module("bloodcell.report.night_plot")  # the package has a function of that name
    monkeypatch.setattr(module, "png", lambda figure, title: drawn.append((figure, title)) or b"")

    def axes_of(rows, *, worse=(), hours=24, number=3):
        def at(n):
            return result(0.8).model_copy(update={"finished": START + n * timedelta(hours=hours)})

        earlier = {row: [at(n) for n in range(number)] for row in rows}
        night_plot({row: [at(number)] for row in rows}, earlier, {}, frozenset(worse), "t")
        figure, title = drawn.pop()
        shown = [axes for axes in figure.axes if axes.get_visible()]
        ticks = [tick.get_text() for tick in shown[0].get_xticklabels()]
        return title, [axes.get_title() for axes in shown], ticks

    return axes_of


def test_worse_rows_come_first_and_those_left_out_are_counted(axes_of):
    rows = [f"row-{n}" for n in range(40)]
    title, shown, _ = axes_of(rows, worse=["row-7", "row-39"])
    assert title == "t\n16 rows left out"
    assert shown == ["row-7", "row-39", *(row for row in rows if row != "row-7")][:24]
    title, shown, _ = axes_of(rows[:24])
    assert (title, shown) == ("t", rows[:24])


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (24, ["01 Nov", "04 Nov"]),
        (1, ["01 Nov\n00:00", "01 Nov\n03:00"]),
        (365 * 24 / 3, ["01 Nov\n2026", "01 Nov\n2027"]),
    ],
)
def test_ticks_tell_the_nights_apart(axes_of, hours, expected):
    assert axes_of("a", hours=hours)[2] == expected
