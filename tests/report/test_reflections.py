import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.config import GridConfig
from bloodcell.report.comparisons import compare
from bloodcell.report.reflections import reflect
from bloodcell.report.rows import finished
from bloodcell.report.verdicts import shape

UNDECIDED = "these runs cannot show whether the backbone matters."
CELLS = {"train": 250, "validation": 55, "test": 71, "seen": 200}


def reflections(example):
    return reflect(example.rows, compare(finished(example.rows)))


def layers(make, figures, accuracies, **options):
    grid = GridConfig(
        name="g", experiments={f"h{number}": {"hidden_layers": number} for number in range(len(accuracies))}
    )
    outcomes = dict(zip((row.name for row in grid.rows), map(figures, accuracies), strict=True))
    return make(grid, outcomes, **{"sources": CELLS} | options)


def agree(words: str, values: list[float]) -> bool:
    """Whether the words describe the values: written anew here, so as not to share the program's errors."""
    pairs = list(pairwise(values))
    moves = [b > a for a, b in pairs if a != b]
    turns = sum(before != after for before, after in pairwise(moves))
    ups, downs = sum(b > a for a, b in pairs), sum(b < a for a, b in pairs)
    top, bottom = values.index(max(values)), values.index(min(values))
    return {
        "rises": len(pairs) == ups == 1,
        "falls": len(pairs) == downs == 1,
        "rises at every step": ups == len(pairs) > 1,
        "falls at every step": downs == len(pairs) > 1,
        "rises, though not at every step": ups > 0 == downs and ups < len(pairs),
        "falls, though not at every step": downs > 0 == ups and downs < len(pairs),
        "rises, then falls": values[:top] == sorted(values[:top])
        and values[top:] == sorted(values[top:], reverse=True)
        and ups > 0 < downs,
        "falls, then rises": values[:bottom] == sorted(values[:bottom], reverse=True)
        and values[bottom:] == sorted(values[bottom:])
        and ups > 0 < downs,
        "goes up and down": turns > 1,
        "stays the same": not moves,
    }[words]


@given(st.lists(st.integers(0, 71), min_size=2, max_size=5))
def test_trend_words_agree_with_the_numbers(make, figures, right):
    example = layers(make, figures, [count / 71 for count in right])
    (found,) = reflections(example)
    printed, verdict = found.accuracy
    values = [float(value) for value in re.findall(r"(\d+\.\d\d)%", printed)]
    course = re.match(r"It ((?:rises|falls|goes).*?)(?:, each time|;|, by more)", verdict)
    compared = compare(finished(example.rows))
    if not all(found.tied for found in compared.pairs.values()):
        assert course
        assert agree(course.group(1), values)
    else:
        assert not course
        assert verdict in ("Both are equal.", "All are equal.") or verdict.endswith(
            "these runs cannot show whether the number of hidden layers matters."
        )
        assert ("equal" in verdict) == (len(set(values)) == 1)


@pytest.mark.parametrize("words", ["goes up and down", "rises at every step"])
def test_a_single_turn_is_not_up_and_down(words):
    assert not agree(words, [1, 3, 2])
    assert agree("goes up and down", [1, 3, 2, 4])


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6))
def test_shape_agrees_with_the_numbers(values):
    assert agree(shape(values), values)


@given(st.lists(st.integers(0, 71), min_size=2, max_size=5))
def test_without_source_cells_the_course_is_told_and_nothing_judged(make, figures, right):
    (found,) = reflections(layers(make, figures, [count / 71 for count in right], sources=None))
    printed, verdict = found.accuracy
    values = [float(value) for value in re.findall(r"(\d+\.\d\d)%", printed)]
    assert found.differences == ()
    assert not re.search("chance|tied|show", verdict)
    if len(set(values)) > 1:
        assert agree(re.fullmatch(r"As measured it (.*)\.", verdict).group(1), values)


def test_an_axis_within_noise_is_not_called_a_trend(make, figures):
    (found,) = reflections(layers(make, figures, [0.90, 0.91, 0.92, 0.93]))
    assert found.accuracy[1].endswith("these runs cannot show whether the number of hidden layers matters.")
    assert not re.search(r"rise|fall", " ".join(found.accuracy + found.differences))
    assert len(found.differences) == 4
    assert "from 0 to 3 hidden layers: +3.00 percentage points" in found.differences[3]
    assert found.differences[3].endswith("; tied")


def steps(found) -> list[str]:
    return [text.partition(":")[0] for text in found.differences]


def test_of_values_with_an_order_each_step_and_the_widest_difference_are_listed(make, figures):
    (found,) = reflections(layers(make, figures, [0.5, 0.9, 0.88]))
    assert steps(found) == ["from 0 to 1 hidden layer", "from 1 to 2 hidden layers"]  # the first step is the widest
    (found,) = reflections(layers(make, figures, [0.5, 0.6, 0.5, 0.9]))
    assert steps(found)[3:] == []  # no other is wider than the last step
    (found,) = reflections(layers(make, figures, [0.5, 0.6, 0.8, 0.7]))
    assert steps(found)[3:] == ["from 0 to 2 hidden layers"]


def test_of_values_without_an_order_each_is_listed_against_the_highest(make, figures):
    assert steps(backbones(make, figures, (0.5, 0.95, 0.95))) == [
        "from Xception to MobileNet",
        "from Xception to VGG16",
    ]


def test_of_many_differences_the_widest_are_listed(make, figures):
    (found,) = reflections(layers(make, figures, [0.3 + 0.4 * (n % 2) + 0.01 * (n == 3) for n in range(17)]))
    assert len(found.differences) == 12
    assert "from 2 to 3 hidden layers" in steps(found)


def test_and_the_widest_are_listed_also_where_the_others_are_all_alike(make, figures):
    (found,) = reflections(layers(make, figures, [0.3] * 15 + [0.6, 0.9]))
    assert len(found.differences) == 12
    assert {"from 14 to 15 hidden layers", "from 15 to 16 hidden layers"} <= set(steps(found))


def test_many_values_are_told_by_their_range(make, figures):
    (found,) = reflections(layers(make, figures, [0.3 + 0.4 * (n % 2) for n in range(17)]))
    assert found.accuracy == (
        "Over its 17 values, all else as in the first row, test accuracy is 30.00% to 70.00%; the table has each.",
        "It goes up and down, each time by more than chance.",
    )
    assert found.remarks[0].startswith("Learning time is 60.0 s to 60.0 s (")
    (found,) = reflections(layers(make, figures, [0.3 + 0.4 * (n % 2) for n in range(16)] + [0.7]))
    assert found.accuracy[1] == "It goes up and down; 15 of the 16 steps are more than chance."


def test_a_tie_whose_interval_leaves_out_zero_says_why(make, figures):
    (found,) = reflections(layers(make, figures, [0.6, 0.66, 0.72]))
    compared = compare(finished(layers(make, figures, [0.6, 0.66, 0.72]).rows))
    seeming = [pair.tied and not pair.low <= 0 <= pair.high for pair in compared.pairs.values()]
    told = [text for text in found.differences if "p allows for all 3 comparisons, and the interval for this" in text]
    assert len(told) == sum(seeming) > 0
    assert all("; tied, since" in text for text in told)


def test_steps_within_noise_are_named_beside_those_beyond_it(make, figures):
    (found,) = reflections(layers(make, figures, [0.5, 0.9, 0.88]))
    assert (
        found.accuracy[1]
        == "It rises, then falls; of the steps only the one from 0 to 1 hidden layer is more than chance."
    )
    assert [text.rpartition("; ")[2] for text in found.differences] == ["apart", "tied"]
    (found,) = reflections(layers(make, figures, [0.2, 0.5, 0.51, 0.9]))
    assert found.accuracy[1] == (
        "It rises at every step; of the steps only those from 0 to 1 hidden layer and from 2 to 3 hidden layers "
        "are more than chance."
    )


def test_a_slow_drift_is_told_from_end_to_end(make, figures):
    (found,) = reflections(layers(make, figures, [0.6, 0.65, 0.7]))
    assert found.accuracy[1] == (
        "It rises at every step; neighbours are tied, but the difference from 0 to 2 hidden layers is more than chance."
    )


def test_rows_are_sorted_by_value_not_by_place(make, figures):
    grid = GridConfig(
        name="g",
        base={"learning_rate": 1e-4},
        experiments={"b": {}, "a": {"learning_rate": 1e-5}, "c": {"learning_rate": 1e-3}},
    )
    (found,) = reflections(make(grid, {"a": figures(0.2), "b": figures(0.5), "c": figures(0.9)}, sources=CELLS))
    assert "1e-5, 1e-4 and 0.001" in found.accuracy[0]
    assert found.accuracy[1] == "It rises at every step, each time by more than chance."


def test_unordered_settings_are_ranked_not_called_a_trend(make, figures):
    grid = GridConfig(
        name="g",
        experiments={"a": {"backbone": "VGG16"}, "b": {"backbone": "Xception"}, "c": {"backbone": "MobileNet"}},
    )
    (found,) = reflections(make(grid, {"a": figures(0.5), "b": figures(0.95), "c": figures(0.93)}, sources=CELLS))
    assert found.accuracy[1] == "The highest is that of Xception, but MobileNet is tied with it."
    assert not re.search(r"rise|fall", " ".join((*found.accuracy, *found.remarks)))
    assert "The image size changes along with it" in found.remarks[1]


def backbones(make, figures, accuracies, **options):
    names = ("VGG16", "Xception", "MobileNet")[: len(accuracies)]
    grid = GridConfig(name="g", experiments={name: {"backbone": name} for name in names})
    outcomes = {name: figures(value) for name, value in zip(names, accuracies, strict=True)}
    (found,) = reflections(make(grid, outcomes, **{"sources": CELLS} | options))
    return found


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ((0.9, 0.9), "Both are equal."),
        ((0.9, 0.9, 0.9), "All are equal."),
        ((0.9, 0.5), "The higher is that of VGG16, by more than chance."),
        ((0.9, 0.5, 0.5), "The highest is that of VGG16, by more than chance."),
        ((0.9, 0.9, 0.5), "There is a tie for the highest between VGG16 and Xception, by more than chance."),
        ((0.9, 0.91), f"The two are tied: {UNDECIDED}"),
    ],
)
def test_ties_and_pairs_are_put_into_words_of_their_own(make, figures, accuracies, words):
    assert backbones(make, figures, accuracies).accuracy[1] == words


def test_what_is_not_wholly_equal_is_told_pair_by_pair(make, figures):
    assert len(backbones(make, figures, (0.9, 0.9, 0.91)).differences) == 2


@pytest.mark.parametrize("count", [2, 3])
def test_what_is_equal_is_said_once(make, figures, count):
    (line,) = backbones(make, figures, (0.9,) * count).differences
    assert line.startswith("from VGG16 to Xception: " if count == 2 else "each of them from each: ")
    assert "0.00 percentage points, 95% interval" in line
    assert line.endswith("; tied")


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ((0.9, 0.5), "As measured the higher is that of VGG16."),
        ((0.9, 0.9, 0.5), "As measured there is a tie for the highest between VGG16 and Xception."),
        ((0.9, 0.9), "Both are equal."),
    ],
)
def test_an_unordered_axis_without_source_cells_is_told_as_measured(make, figures, accuracies, words):
    found = backbones(make, figures, accuracies, sources=None)
    assert (found.accuracy[1], found.differences) == (words, ())


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({"split": "pooled"}, {}, "These rows were tested on different images: the figures are not ranked."),
        ({"split": "folder"}, {}, "A split is a way of measuring: the figures are not ranked."),
        (
            {"test_fraction": 0.3},
            {"declares_test": False},
            "These rows were tested on different images: the figures are not ranked.",
        ),
    ],
)
def test_ways_of_measuring_are_not_ranked(make, figures, changes, options, words):
    grid = GridConfig(name="g", experiments={"a": {}, "b": changes})
    (found,) = reflections(make(grid, {"a": figures(0.2), "b": figures(0.9)}, sources=CELLS, **options))
    assert "test accuracy is 20.00% and 90.00%, in that order" in found.accuracy[0]
    assert (found.accuracy[1], found.differences) == (words, ())


def test_failed_rows_are_left_out_and_said_to_be(make, figures):
    grid = GridConfig(name="g", experiments={f"h{n}": {"hidden_layers": n} for n in (1, 2, 3)})
    (found,) = reflections(make(grid, {"h1": figures(0.9), "h2": "out of memory", "h3": figures(0.4)}, sources=CELLS))
    assert "With 1 and 3 hidden layers, all" in found.accuracy[0]
    assert found.remarks[-1] == "Left out, because without a result: h2 (2 hidden layers)."


def test_one_result_on_an_axis_is_nothing_to_compare(make, figures):
    grid = GridConfig(name="g", experiments={"h1": {}, "h2": {"hidden_layers": 2}})
    (found,) = reflections(make(grid, {"h1": "no store", "h2": figures(0.9)}))
    assert found.accuracy == ("Of its 2 rows only h2 has a result: there is nothing to compare.",)


def test_learning_time_is_told_with_its_factor(make, figures):
    grid = GridConfig(name="g", experiments={"h1": {}, "h2": {"hidden_layers": 2}})
    (found,) = reflections(make(grid, {"h1": figures(0.9, seconds=1500), "h2": figures(0.9, seconds=1000)}))
    (time,) = found.remarks
    assert time == (
        "Learning time, in the same order, is 1,500.0 s and 1,000.0 s; the longer is 1.50 times the shorter "
        "(single measurements; rows that ran side by side share the machine)."
    )


def test_epochs_are_named_where_rows_ran_for_different_ones(make, figures):
    grid = GridConfig(name="g", experiments={f"h{n}": {"hidden_layers": n} for n in (1, 2, 3)})
    outcomes = {f"h{n}": figures(0.9, epochs=epochs) for n, epochs in ((1, 12), (2, 8), (3, 12))}
    (found,) = reflections(make(grid, outcomes))
    assert found.remarks[1] == "They ran for 12 epochs, 8 epochs and 12 epochs, in that order."
    assert not re.search(r"rise|fall", " ".join(found.remarks))


def test_a_single_row_has_no_reflections(make, figures):
    assert reflections(make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.9)})) == ()


def test_rows_that_change_several_settings_are_on_no_axis(make, figures):
    grid = GridConfig(name="g", axes={"hidden_layers": [1, 2], "dense_units": [8, 16]})
    found = reflections(make(grid, {row.name: figures(0.9) for row in grid.rows}))
    assert [(reflection.title, reflection.accuracy[0].count("%")) for reflection in found] == [
        ("Hidden layers", 2),
        ("Dense count", 2),
    ]
