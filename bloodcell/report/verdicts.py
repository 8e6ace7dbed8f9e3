"""What may be said of the test accuracies on one axis: a sentence, and which differences are listed below it.

Where rows can be compared, those that cannot be told apart are called tied, and no course is put into words unless some
two on the axis are not. Where source cells are not known there is no comparison, and so no verdict: the course is told
as measured.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise

from bloodcell.formatting import from_to, listed, odds_text, percent, points, quantity, setting_text
from bloodcell.report.comparisons import Comparison, Comparisons
from bloodcell.report.rows import FinishedRow, tested_alike

Pair = tuple[FinishedRow, FinishedRow]

MOST_LISTED = 12
"""Values or differences of one axis that are listed."""


def comparable(done: Sequence[FinishedRow], field: str) -> bool:
    """Whether the rows of an axis may be ranked by their test accuracy."""
    return field != "split" and tested_alike(done)


def verdict(done: Sequence[FinishedRow], field: str, compared: Comparisons, *, ordered: bool) -> str:
    """What an axis shows, as a sentence.

    Args:
        done: Its rows, at least two: by value where the values have an order, else, where they are `comparable`,
            highest accuracy first.
        field: The setting that varies.
        compared: The grid's rows with one another.
        ordered: Whether its values have an order.
    """
    if not comparable(done, field):
        why = "A split is a way of measuring" if tested_alike(done) else "These rows were tested on different images"
        return f"{why}: the figures are not ranked."
    if len(set(_printed(done))) == 1:
        return f"{'Both' if len(done) == 2 else 'All'} are equal."
    if not all(compared.between(*pair) for pair in combinations(done, 2)):
        return f"As measured {_course(done) if ordered else _top(done, field)}."
    if all(compared.tied(*pair) for pair in combinations(done, 2)):
        which = "The two" if len(done) == 2 else f"All {len(done)}"
        return f"{which} are tied: these runs cannot show whether {quantity(field)} matters."
    return (_of_course if ordered else _of_ranking)(done, field, compared)


def differences(done: Sequence[FinishedRow], field: str, compared: Comparisons, *, ordered: bool) -> tuple[str, ...]:
    """The differences of an axis with their intervals, by one rule for all axes.

    They are those of neighbours where the values have an order, else of each row and the highest, and the widest of
    all; of more than `MOST_LISTED` the widest.

    Args:
        done: As for `verdict`.
        field: The setting that varies.
        compared: The grid's rows with one another.
        ordered: Whether its values have an order.
    """
    if not comparable(done, field):
        return ()
    pairs = list(pairwise(done)) if ordered else [(done[0], other) for other in done[1:]]
    widest = _widest(list(combinations(done, 2)))
    if _width(widest) > _width(_widest(pairs)):
        pairs.append(widest)
    found = [(pair, difference) for pair in pairs if (difference := compared.between(*pair))]
    widest_first = sorted(range(len(found)), key=lambda index: -abs(found[index][1].change))
    kept = [found[index] for index in sorted(widest_first[:MOST_LISTED])]
    texts = [_difference_text(difference, compared) for _, difference in kept]
    every = {compared.between(*pair) for pair in combinations(done, 2)}
    if len(kept) > 1 and len(every) == 1:
        return (f"each of them from each: {texts[0]}",)
    return tuple(f"{_from_to(pair, field)}: {text}" for (pair, _), text in zip(kept, texts, strict=True))


def _difference_text(found: Comparison, compared: Comparisons) -> str:
    """A difference with its interval and whether the two are tied; where the two seem to disagree, why they do not."""
    interval = f"{points(found.change)} percentage points, 95% interval {points(found.low)} to {points(found.high)}"
    text = f"{interval}, {odds_text(found.p)}; {'tied' if found.tied else 'apart'}"
    if found.tied and not found.low <= 0 <= found.high and len(compared.pairs) > 1:
        text += f", since p allows for all {len(compared.pairs):,} comparisons, and the interval for this one alone"
    return text


def _of_course(done: Sequence[FinishedRow], field: str, compared: Comparisons) -> str:
    """Of values with an order, lowest first; some two are not tied."""
    steps = list(pairwise(done))
    apart = [pair for pair in steps if not compared.tied(*pair)]
    course = _course(done).capitalize()
    if apart == steps:
        return f"{course}, {'each time ' if len(steps) > 1 else ''}by more than chance."
    if len(apart) > MOST_LISTED:
        return f"{course}; {len(apart):,} of the {len(steps):,} steps are more than chance."
    if apart:
        where = listed([_from_to(pair, field) for pair in apart])
        step = "the one {} is" if len(apart) == 1 else "those {} are"
        return f"{course}; of the steps only {step.format(where)} more than chance."
    widest = _widest([pair for pair in combinations(done, 2) if not compared.tied(*pair)])
    return f"{course}; neighbours are tied, but the difference {_from_to(widest, field)} is more than chance."


def _of_ranking(done: Sequence[FinishedRow], field: str, compared: Comparisons) -> str:
    """Of values without an order, highest accuracy first; some two are not tied."""
    top = [row for row, figure in zip(done, _printed(done), strict=True) if figure == _printed(done)[0]]
    pairs = [(top[0], other) for other in done[len(top) :]]
    near = [setting_text(pair[1].config, field) for pair in pairs if compared.tied(*pair)]
    sentence = _top(done, field)
    sentence = sentence[0].upper() + sentence[1:]
    whom = "it" if len(top) == 1 else "them"
    if len(near) > MOST_LISTED:
        return f"{sentence}, but {len(near):,} of the other {len(pairs):,} are tied with {whom}."
    if near:
        return f"{sentence}, but {listed(near)} {'is' if len(near) == 1 else 'are'} tied with {whom}."
    return f"{sentence}, by more than chance."


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


def _widest(pairs: Sequence[Pair]) -> Pair:
    return max(pairs, key=_width)


def _width(pair: Pair) -> float:
    return abs(pair[1].test.accuracy - pair[0].test.accuracy)


def _from_to(pair: Pair, field: str) -> str:
    start, end = (setting_text(row.config, field) for row in pair)
    return from_to(field, start, end)


def shape(values: Sequence[float]) -> str:
    """The course of at least two values, as a verb phrase: `rises at every step`."""
    steps = [(after > before) - (after < before) for before, after in pairwise(values)]
    moves = [step for step in steps if step]
    turns = [move for index, move in enumerate(moves) if index == 0 or move != moves[index - 1]]
    everywhere = (
        "" if len(steps) == 1 else " at every step" if len(moves) == len(steps) else ", though not at every step"
    )
    match turns:
        case []:
            return "stays the same"
        case [1]:
            return f"rises{everywhere}"
        case [-1]:
            return f"falls{everywhere}"
        case [1, -1]:
            return "rises, then falls"
        case [-1, 1]:
            return "falls, then rises"
        case _:
            return "goes up and down"
