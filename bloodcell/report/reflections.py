"""What the figures say about each setting: sentences computed from the rows, none of them fixed beforehand.

An axis is the first row and the rows that change one setting only. Differences within sampling error are
called so, and no course is put into words unless some difference on the axis is larger than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from bloodcell.report.formatting import listed, noun, percent, points, setting, setting_text
from bloodcell.report.rows import FinishedRow, Row, finished, unfinished, varied_fields
from bloodcell.report.statistics import Difference, difference, shape

_Pair = tuple[FinishedRow, FinishedRow]
_Findings = tuple[str, list[_Pair]]
"""A sentence, and the pairs of rows it rests on."""


@dataclass(frozen=True)
class Reflection:
    """What is said of one setting; plain text.

    Attributes:
        title: The setting.
        accuracy: Sentences on test accuracy.
        differences: Every difference looked at, with its interval and whether it exceeds sampling error.
        remarks: Sentences on learning time, and on what was left out.
    """

    title: str
    accuracy: tuple[str, ...]
    differences: tuple[str, ...]
    remarks: tuple[str, ...]


def reflect(rows: Sequence[Row]) -> tuple[Reflection, ...]:
    """One reflection for each setting that some row changes alone."""
    return tuple(
        _reflection(rows, field) for field in varied_fields(rows) if any(row.changed == (field,) for row in rows)
    )


def _sampling_unit(rows: Sequence[FinishedRow]) -> str:
    """What the margins count, with their number: `71 independent test sources`."""
    counts = listed([f"{count:,}" for count in sorted({row.test.sources for row in rows})])
    if all(row.result.sources_known for row in rows):
        return f"{counts} independent test sources"
    return f"{counts} test images, each taken as its own source"


def _reflection(rows: Sequence[Row], field: str) -> Reflection:
    axis = [row for row in rows if row.changed in ((), (field,))]
    done = list(finished(axis))
    title = noun(field).capitalize()
    left_out = _left_out(unfinished(axis), field)
    if len(done) < 2:
        have = f"only {done[0].name} has" if done else "none has"
        return Reflection(
            title, (f"Of its {len(axis)} rows {have} a result: there is nothing to compare.",), (), left_out
        )
    numbers = _numbers(done, field)
    order = numbers or [-row.test.accuracy for row in done]
    done = [row for _, row in sorted(zip(order, done, strict=True), key=lambda item: item[0])]
    sentence, compared = (_course if numbers else _ranking)(done, field)
    return Reflection(
        title=title,
        accuracy=(_figures(done, field), sentence),
        differences=tuple(_difference(pair, field) for pair in compared),
        remarks=(_time(done, ordered=numbers is not None), *_image_size(done, field), *left_out),
    )


def _numbers(rows: Sequence[FinishedRow], field: str) -> list[float] | None:
    """The rows' values where they have an order; a seed is a number without one."""
    values = [setting(row.config, field) for row in rows]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(values) and field != "seed" else None


def _figures(done: Sequence[FinishedRow], field: str) -> str:
    settings = listed([setting_text(row.config, field) for row in done])
    accuracies = listed([percent(row.test.accuracy) for row in done])
    same = "all else as in the first row"
    return f"With {noun(field)} {settings}, {same}, test accuracy is {accuracies}, in that order."


def _course(done: Sequence[FinishedRow], field: str) -> _Findings:
    """What an axis shows whose values have an order, lowest first."""
    steps = list(pairwise(done))
    apart = [pair for pair in combinations(done, 2) if _change(pair).beyond_error]
    larger = [pair for pair in steps if pair in apart]
    if not apart:
        return _no_effect(done, field)
    # Of the figures as printed, so that the words cannot contradict what stands beside them.
    course = shape([round(row.test.accuracy * 100, 2) for row in done])
    if larger == steps:
        return f"It {course}{', each time' if len(steps) > 1 else ''} by more than sampling error.", steps
    if larger:
        where = listed([_from_to(pair, field) for pair in larger])
        return f"As measured it {course}, but only {where} by more than sampling error.", steps
    widest = max(apart, key=lambda pair: abs(_change(pair).change))
    way = f"but the difference {_from_to(widest, field)} is"
    return f"As measured it {course}; no single step is larger than sampling error, {way}.", [*steps, widest]


def _ranking(done: Sequence[FinishedRow], field: str) -> _Findings:
    """What an axis shows whose values have no order, highest accuracy first."""
    first, *others = done
    compared = [(first, other) for other in others]
    if not any(_change(pair).beyond_error for pair in combinations(done, 2)):
        return _no_effect(done, field)
    highest = f"The highest is that of {setting_text(first.config, field)}"
    near = [setting_text(other.config, field) for _, other in compared if not _change((first, other)).beyond_error]
    if near:
        return f"{highest}, but {listed(near)} cannot be told apart from it.", compared
    return f"{highest}, by more than sampling error.", compared


def _no_effect(done: Sequence[FinishedRow], field: str) -> _Findings:
    """That the axis shows nothing: no two of its rows can be told apart."""
    widest = max(combinations(done, 2), key=lambda pair: abs(_change(pair).change))
    if percent(widest[0].test.accuracy) == percent(widest[1].test.accuracy):
        return "It stays the same.", []
    figures = "The two figures do not" if len(done) == 2 else "No two of these figures"
    return f"{figures} differ by more than sampling error: these runs show no effect of {noun(field)}.", [widest]


def _change(pair: _Pair) -> Difference:
    return difference(pair[0].test, pair[1].test)


def _from_to(pair: _Pair, field: str) -> str:
    return f"from {setting_text(pair[0].config, field)} to {setting_text(pair[1].config, field)}"


def _difference(pair: _Pair, field: str) -> str:
    found = _change(pair)
    interval = f"{points(found.change)} points, 95% interval {points(found.low)} to {points(found.high)}"
    too_small = f"too small to tell apart with {_sampling_unit(pair)}"
    return f"{_from_to(pair, field)}: {interval}; {'larger than sampling error' if found.beyond_error else too_small}"


def _time(done: Sequence[FinishedRow], *, ordered: bool) -> str:
    times = [round(row.seconds, 1) for row in done]
    sentence = f"Learning time, in the same order, is {listed([f'{time:,.1f} s' for time in times])}"
    if ordered:
        sentence += f": it {shape(times)}"
    if min(times) > 0 and (factor := f"{max(times) / min(times):.2f}") != "1.00":
        sentence += f"; the longest is {factor} times the shortest"
    return f"{sentence}."


def _image_size(done: Sequence[FinishedRow], field: str) -> tuple[str, ...]:
    sides = [row.config.side for row in done]
    if field == "image_size" or len(set(sides)) == 1:
        return ()
    sizes = listed([f"{side} px" for side in sides])
    return (f"The image size changes along with it ({sizes}), so the two effects cannot be separated.",)


def _left_out(failed: Sequence[Row], field: str) -> tuple[str, ...]:
    names = [f"{row.name} ({setting_text(row.config, field)})" for row in failed]
    return (f"Left out, because without a result: {listed(names)}.",) if names else ()
