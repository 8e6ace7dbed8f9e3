"""What the figures say about each setting: sentences computed from the rows, none of them fixed beforehand.

An axis is the first row and the rows that change one setting only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bloodcell.formatting import amounts, listed, noun, percent, setting, setting_text
from bloodcell.report.comparisons import Comparisons
from bloodcell.report.machines import machine_differences
from bloodcell.report.rows import FinishedRow, Row, finished, ranked, unfinished, varied_fields
from bloodcell.report.verdicts import MOST_LISTED, comparable, differences, verdict


@dataclass(frozen=True)
class Reflection:
    """What is said of one setting; plain text.

    Attributes:
        title: The setting.
        accuracy: Sentences on test accuracy.
        differences: Those that are listed, with their intervals and whether the two are tied.
        remarks: Sentences on learning time, and on what was left out.
    """

    title: str
    accuracy: tuple[str, ...]
    differences: tuple[str, ...]
    remarks: tuple[str, ...]


def reflect(rows: Sequence[Row], compared: Comparisons) -> tuple[Reflection, ...]:
    """One reflection for each setting that some row changes alone."""
    return tuple(
        _reflection(rows, field, compared)
        for field in varied_fields(rows)
        if any(row.changed == (field,) for row in rows)
    )


def _reflection(rows: Sequence[Row], field: str, compared: Comparisons) -> Reflection:
    axis = [row for row in rows if row.changed in ((), (field,))]
    in_rank = {row.name for row in ranked(finished(rows))}
    done = [row for row in finished(axis) if row.name in in_rank]
    title = noun(field).capitalize()
    fewer = [row for row in finished(axis) if row.name not in in_rank]
    left_out = (
        *_left_out(unfinished(axis), field, "without a result"),
        *_left_out(fewer, field, "with fewer trainings than the others"),
    )
    if len(done) < 2:
        have = f"only {done[0].name} has" if done else "none has"
        what = "a result of every seed" if fewer else "a result"
        return Reflection(
            title, (f"Of its {len(axis)} rows {have} {what}: there is nothing to compare.",), (), left_out
        )
    numbers = _numbers(done, field)
    order = numbers or [-row.test.accuracy if comparable(done, field) else 0 for row in done]
    done = [row for _, row in sorted(zip(order, done, strict=True), key=lambda item: item[0])]
    ordered = numbers is not None
    return Reflection(
        title=title,
        accuracy=(_figures(done, field), verdict(done, field, compared, ordered=ordered)),
        differences=differences(done, field, compared, ordered=ordered),
        remarks=(*_time(done, rows), *_epochs(done), *_image_size(done, field), *left_out),
    )


def _numbers(rows: Sequence[FinishedRow], field: str) -> list[float] | None:
    """The rows' values where they have an order."""
    values = [setting(row.config, field) for row in rows]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers if len(numbers) == len(values) else None


def _figures(done: Sequence[FinishedRow], field: str) -> str:
    if len(done) > MOST_LISTED:
        figures = sorted(row.test.accuracy for row in done)
        span = f"{percent(figures[0])} to {percent(figures[-1])}"
        return (
            f"Over its {len(done):,} values, all else as in the first row, test accuracy is {span}; the table has each."
        )
    settings = amounts(field, [setting_text(row.config, field) for row in done])
    accuracies = listed([percent(row.test.accuracy) for row in done])
    return f"With {settings}, all else as in the first row, test accuracy is {accuracies}, in that order."


def _time(done: Sequence[FinishedRow], rows: Sequence[Row]) -> tuple[str, ...]:
    """Nothing where the grid's times do not compare, as is said among the cautions."""
    if machine_differences(finished(rows)):
        return ()
    times = [round(row.seconds, 1) for row in done]
    if len(times) > MOST_LISTED:
        sentence = f"Learning time is {min(times):,.1f} s to {max(times):,.1f} s"
    else:
        sentence = f"Learning time, in the same order, is {listed([f'{time:,.1f} s' for time in times])}"
    if min(times) > 0 and (factor := f"{max(times) / min(times):.2f}") != "1.00":
        longest, shortest = ("longer", "shorter") if len(times) == 2 else ("longest", "shortest")
        sentence += f"; the {longest} is {factor} times the {shortest}"
    measured = "single measurements" if all(len(row.results) == 1 for row in done) else "means"
    return (f"{sentence} ({measured}; rows that ran side by side share the machine).",)


def _epochs(done: Sequence[FinishedRow]) -> tuple[str, ...]:
    epochs = [row.epochs_run for row in done]
    if len(set(epochs)) == 1:
        return ()
    if len(done) > MOST_LISTED:
        return ("They ran for different numbers of epochs.",)
    return (f"They ran for {listed(epochs)}, in that order.",)


def _image_size(done: Sequence[FinishedRow], field: str) -> tuple[str, ...]:
    sides = [row.config.side for row in done]
    if field == "image_size" or len(set(sides)) == 1:
        return ()
    sizes = listed([f"{side} px" for side in sides])
    return (f"The image size changes along with it ({sizes}), so the two effects cannot be separated.",)


def _left_out(some: Sequence[Row], field: str, why: str) -> tuple[str, ...]:
    names = [f"{row.name} ({amounts(field, [setting_text(row.config, field)])})" for row in some]
    return (f"Left out, because {why}: {listed(names)}.",) if names else ()
