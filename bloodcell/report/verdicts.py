"""What may be said of the test accuracies on one axis: a sentence, and the pairs of rows it rests on.

Where source cells are known, differences within sampling error are called so, and no course is put into words unless
some difference on the axis is larger than that. Where they are not there is no interval, and so no verdict: the
course is told as measured.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise

from bloodcell.report.formatting import counted, extent, from_to, listed, percent, points, quantity, setting_text
from bloodcell.report.rows import FinishedRow, runs_of_one_setting, tested_alike
from bloodcell.report.statistics import Difference, difference, shape

Pair = tuple[FinishedRow, FinishedRow]
Verdict = tuple[str, list[Pair]]
"""A sentence, and the pairs of rows it rests on, with an interval each."""


def comparable(done: Sequence[FinishedRow], field: str) -> bool:
    """Whether the rows of an axis may be ranked by their test accuracy."""
    return field not in ("split", "seed") and tested_alike(done)


def verdict(done: Sequence[FinishedRow], field: str, *, ordered: bool) -> Verdict:
    """What an axis shows.

    Args:
        done: Its rows, at least two: by value where the values have an order, else, where they are `comparable`,
            highest accuracy first.
        field: The setting that varies.
        ordered: Whether its values have an order.
    """
    if runs_of_one_setting(done):
        anew = "" if tested_alike(done) else " The seed also chose the test images."
        return f"These are runs of one setting: {extent([row.test.accuracy for row in done])}.{anew}", []
    if not comparable(done, field):
        why = "A split is a way of measuring" if tested_alike(done) else "These rows were tested on different images"
        return f"{why}: the figures are not ranked.", []
    if len(set(_printed(done))) == 1:
        return f"{'Both' if len(done) == 2 else 'All'} are equal.", []
    if not all(row.result.sources_known for row in done):
        return f"As measured {_course(done) if ordered else _top(done, field)}.", []
    if not any(_beyond_error(pair) for pair in combinations(done, 2)):
        return _undecided(done, field)
    return (_of_course if ordered else _of_ranking)(done, field)


def difference_text(pair: Pair, field: str) -> str:
    """The difference of two rows with its interval, and whether that leaves out zero."""
    found = _change(pair)
    interval = f"{points(found.change)} percentage points, 95% interval {points(found.low)} to {points(found.high)}"
    cells = counted(pair[0].test.sources, "test cell")
    size = "larger than sampling error" if found.beyond_error else f"within sampling error for {cells}"
    return f"{_from_to(pair, field)}: {interval}; {size}"


def _of_course(done: Sequence[FinishedRow], field: str) -> Verdict:
    """Of values with an order, lowest first; some difference exceeds sampling error."""
    steps = list(pairwise(done))
    larger = [pair for pair in steps if _beyond_error(pair)]
    course = _course(done).capitalize()
    if larger == steps:
        return f"{course}, {'each time ' if len(steps) > 1 else ''}by more than sampling error.", steps
    if larger:
        where = listed([_from_to(pair, field) for pair in larger])
        change = "change {} exceeds" if len(larger) == 1 else "changes {} exceed"
        return f"{course}; only the {change.format(where)} sampling error.", steps
    widest = _widest(done)
    return (
        f"{course}; no single step exceeds sampling error, but the difference {_from_to(widest, field)} does.",
        [*steps, widest],
    )


def _of_ranking(done: Sequence[FinishedRow], field: str) -> Verdict:
    """Of values without an order, highest accuracy first; some difference exceeds sampling error."""
    top = [row for row, figure in zip(done, _printed(done), strict=True) if figure == _printed(done)[0]]
    compared = [(top[0], other) for other in done[len(top) :]]
    near = [setting_text(pair[1].config, field) for pair in compared if not _beyond_error(pair)]
    sentence = _top(done, field)
    sentence = sentence[0].upper() + sentence[1:]
    if near:
        whom = "it" if len(top) == 1 else "them"
        return f"{sentence}, but {listed(near)} cannot be told apart from {whom}.", compared
    return f"{sentence}, by more than sampling error.", compared


def _undecided(done: Sequence[FinishedRow], field: str) -> Verdict:
    """No two rows can be told apart."""
    figures = "The two figures do not" if len(done) == 2 else "No two of these figures"
    cannot = f"these runs cannot show whether {quantity(field)} matters"
    return f"{figures} differ by more than sampling error: {cannot}.", [_widest(done)]


def _course(done: Sequence[FinishedRow]) -> str:
    return f"it {shape(_printed(done))}"


def _top(done: Sequence[FinishedRow], field: str) -> str:
    figures = _printed(done)
    values = [setting_text(row.config, field) for row in done[: figures.count(figures[0])]]
    if len(values) > 1:
        return f"there is a tie for the highest between {listed(values)}"
    return f"the {'higher' if len(done) == 2 else 'highest'} is that of {values[0]}"


def _printed(done: Sequence[FinishedRow]) -> list[float]:
    """The accuracies as printed, so that the words cannot contradict what stands beside them."""
    return [float(percent(row.test.accuracy).rstrip("%")) for row in done]


def _widest(done: Sequence[FinishedRow]) -> Pair:
    return max(combinations(done, 2), key=lambda pair: abs(_change(pair).change))


def _change(pair: Pair) -> Difference:
    return difference(pair[0].test, pair[1].test)


def _beyond_error(pair: Pair) -> bool:
    return _change(pair).beyond_error


def _from_to(pair: Pair, field: str) -> str:
    start, end = (setting_text(row.config, field) for row in pair)
    return from_to(field, start, end)
