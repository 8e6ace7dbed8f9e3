import re
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from bloodcell.config import GridConfig
from bloodcell.report.reflections import reflect
from bloodcell.report.rows import rows_of
from bloodcell.report.statistics import difference

CELLS = {"train": 250, "validation": 55, "test": 71, "seen": 200}


def reflections(example):
    return reflect(rows_of(example.run, example.results))


def layers(make, figures, accuracies, **options):
    grid = GridConfig(
        name="g", experiments={f"h{number}": {"hidden_layers": number} for number in range(len(accuracies))}
    )
    outcomes = dict(zip((row.name for row in grid.rows), map(figures, accuracies), strict=True))
    return make(grid, outcomes, **{"sources": CELLS} | options)


def agree(words: str, values: list[float]) -> bool:
    """Whether the words describe the values: written anew here, so as not to share the program's errors."""
    pairs = list(pairwise(values))
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
        "goes up and down": ups > 0 < downs,
    }[words]


@given(st.lists(st.integers(0, 71), min_size=2, max_size=5))
def test_trend_words_agree_with_the_numbers(make, figures, right):
    example = layers(make, figures, [count / 71 for count in right])
    (found,) = reflections(example)
    printed, verdict = found.accuracy
    values = [float(value) for value in re.findall(r"(\d+\.\d\d)%", printed)]
    course = re.match(r"(?:It|As measured it) ((?:rises|falls|goes).*?)(?:,? each time|, but only|;| by more)", verdict)
    tests = [result.metrics["test"] for result in example.results.values()]
    if any(difference(a, b).beyond_error for a, b in combinations(tests, 2)):
        assert course
        assert agree(course.group(1).rstrip(","), values)
    else:
        assert not course
        assert verdict == "It stays the same." or "show no effect of hidden layers" in verdict


def test_an_axis_within_noise_is_not_called_a_trend(make, figures):
    (found,) = reflections(layers(make, figures, [0.90, 0.91, 0.92, 0.93]))
    assert found.accuracy[1].endswith("these runs show no effect of hidden layers.")
    assert not re.search(r"rise|fall", " ".join(found.accuracy + found.differences))
    assert len(found.differences) == 1
    assert "from 0 to 3: +3.00 points" in found.differences[0]
    assert "too small to tell apart with 71 independent test sources" in found.differences[0]


def test_steps_within_noise_are_named_beside_those_beyond_it(make, figures):
    (found,) = reflections(layers(make, figures, [0.5, 0.9, 0.88]))
    assert found.accuracy[1] == "As measured it rises, then falls, but only from 0 to 1 by more than sampling error."
    assert [text.rpartition("; ")[2][:9] for text in found.differences] == ["larger th", "too small"]


def test_a_slow_drift_is_told_from_end_to_end(make, figures):
    (found,) = reflections(layers(make, figures, [0.6, 0.7, 0.8]))
    assert found.accuracy[1] == (
        "As measured it rises at every step; no single step is larger than sampling error, "
        "but the difference from 0 to 2 is."
    )


def test_rows_are_sorted_by_value_not_by_place(make, figures):
    grid = GridConfig(
        name="g",
        base={"learning_rate": 1e-4},
        experiments={"b": {}, "a": {"learning_rate": 1e-5}, "c": {"learning_rate": 1e-3}},
    )
    (found,) = reflections(make(grid, {"a": figures(0.2), "b": figures(0.5), "c": figures(0.9)}, sources=CELLS))
    assert "1e-5, 1e-4 and 0.001" in found.accuracy[0]
    assert found.accuracy[1] == "It rises at every step, each time by more than sampling error."


def test_unordered_settings_are_ranked_not_called_a_trend(make, figures):
    grid = GridConfig(
        name="g",
        experiments={"a": {"backbone": "VGG16"}, "b": {"backbone": "Xception"}, "c": {"backbone": "MobileNet"}},
    )
    (found,) = reflections(make(grid, {"a": figures(0.5), "b": figures(0.95), "c": figures(0.93)}, sources=CELLS))
    assert found.accuracy[1] == "The highest is that of Xception, but MobileNet cannot be told apart from it."
    assert not re.search(r"rise|fall", " ".join((*found.accuracy, *found.remarks)))
    assert "The image size changes along with it" in found.remarks[1]


def test_failed_rows_are_left_out_and_said_to_be(make, figures):
    grid = GridConfig(name="g", experiments={f"h{n}": {"hidden_layers": n} for n in (1, 2, 3)})
    (found,) = reflections(make(grid, {"h1": figures(0.9), "h2": "out of memory", "h3": figures(0.4)}, sources=CELLS))
    assert "With hidden layers 1 and 3" in found.accuracy[0]
    assert found.remarks[-1] == "Left out, because without a result: h2 (2)."


def test_one_result_on_an_axis_is_nothing_to_compare(make, figures):
    grid = GridConfig(name="g", experiments={"h1": {}, "h2": {"hidden_layers": 2}})
    (found,) = reflections(make(grid, {"h1": "no store", "h2": figures(0.9)}))
    assert found.accuracy == ("Of its 2 rows only h2 has a result: there is nothing to compare.",)


def test_unknown_sources_are_said_to_be_images(make, figures):
    (found,) = reflections(layers(make, figures, [0.9, 0.9004], sources=None))
    assert "with 2,500 test images, each taken as its own source" in found.differences[0]


def test_learning_time_is_told_with_its_factor(make, figures):
    grid = GridConfig(name="g", experiments={"h1": {}, "h2": {"hidden_layers": 2}})
    (found,) = reflections(make(grid, {"h1": figures(0.9, seconds=1500), "h2": figures(0.9, seconds=1000)}))
    (time,) = found.remarks
    assert time.startswith("Learning time, in the same order, is 1,500.0 s and 1,000.0 s: it falls; ")
    assert time.endswith("the longest is 1.50 times the shortest.")


def test_a_single_row_has_no_reflections(make, figures):
    assert reflections(make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.9)})) == ()


def test_rows_that_change_several_settings_are_on_no_axis(make, figures):
    grid = GridConfig(name="g", axes={"hidden_layers": [1, 2], "dense_units": [8, 16]})
    found = reflections(make(grid, {row.name: figures(0.9) for row in grid.rows}))
    assert [(reflection.title, reflection.accuracy[0].count("%")) for reflection in found] == [
        ("Hidden layers", 2),
        ("Dense count", 2),
    ]
