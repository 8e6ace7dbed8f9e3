"""The report's title, and its first sentences: what came out on top, and what stands behind it."""

from collections.abc import Sequence
from typing import NamedTuple

from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.evidence import interval_text
from bloodcell.report.formatting import amounts, counted, extent, listed, percent, setting_text
from bloodcell.report.rows import CHOOSE_TEST, FinishedRow, Row, best, finished, runs_of_one_setting, tested_alike
from bloodcell.report.statistics import difference


def title(run: GridRun, info: DatasetInfo) -> str:
    """The grid, the backbones as configured, and the dataset; synthetic images are called so."""
    networks = list(dict.fromkeys(row.config.network for row in run.rows))
    subject = listed(networks) if len(networks) <= 3 else f"{len(networks)} backbones"
    return f"Grid {run.grid.name}: {subject} on {'synthetic images' if info.synthetic else info.name}"


class Headline(NamedTuple):
    """What the figure is, the figure (empty where there is none to show), and the sentences that follow it."""

    label: str
    figure: str
    rest: str


def headline(rows: Sequence[Row], info: DatasetInfo) -> Headline:
    """The best figure and what stands behind it, or why no row is called the best."""
    done = finished(rows)
    if not done:
        return Headline("", "", f"None of the {counted(len(rows), 'row')} has a result.")
    if winners := best(done):
        return _of_winners(winners, done, info)
    return _of_runs(done) if runs_of_one_setting(done) else _of_each_test(done)


def _of_winners(winners: Sequence[FinishedRow], done: Sequence[FinishedRow], info: DatasetInfo) -> Headline:
    first, settings = winners[0], {row.setting for row in winners}
    one = len(winners) == 1
    sentences = [f"{_what(first) if one else '(a tie)'}, on {evidence(first)}{_interval(first)}."]
    if one and (seen := first.result.metrics.get("seen")):
        on = _seen_images(seen.images, first, info)
        sentences.append(f"On {on}, it reaches {percent(seen.accuracy)}.")
    if one and len(runs := [row for row in done if row.setting == first.setting]) > 1:
        extremes = extent([row.test.accuracy for row in runs])
        sentences.append(f"It is one of {len(runs)} runs of its setting: {extremes}.")
    if others := [row for row in done if row.setting not in settings]:
        if first.result.sources_known:
            sentences.append(_rivals(winners, others, some_left_out=len(others) + len(winners) < len(done)))
        picked = f"{'It was' if one else 'They were'} picked on these same test images"
        sentences.append(f"{picked}: expect slightly less on new ones.")
    label = "best test accuracy" if len(done) > 1 else "test accuracy"
    figure = f"{percent(first.test.accuracy)} by {listed([row.name for row in winners])}"
    return Headline(label, figure, " ".join(sentences))


def _interval(row: FinishedRow) -> str:
    if "test" not in row.cells:
        return ""
    return f": 95% interval over cells {interval_text(row.cells['test'].accuracy)}"


def _what(row: FinishedRow) -> str:
    return f"({row.config.architecture}, learning rate {setting_text(row.config, 'learning_rate')})"


def _seen_images(images: int, row: FinishedRow, info: DatasetInfo) -> str:
    if row.result.sources_known:
        return f"{counted(images, 'held-out image')} of cells that it saw in training"
    whole = "TRAIN" if info.declared.get("TRAIN") else "the training images"
    return f"{counted(images, 'randomly held-out image')} of {whole}, whose cells may also have trained"


def _rivals(winners: Sequence[FinishedRow], others: Sequence[FinishedRow], *, some_left_out: bool) -> str:
    """How many of the others are as good for all that the test can tell; source cells are known."""
    first = winners[0]
    near = sum(not difference(first.test, other.test).beyond_error for other in others)
    whom = "it" if len(winners) == 1 else "them"
    apart = f"be told apart from {whom} on {counted(first.test.sources, 'cell')}"
    group = f"{len(others)} rows of other settings" if some_left_out else f"other {len(others)} rows"
    if len(others) == 1:
        group = "row of another setting" if some_left_out else "other row"
        return f"The {group} {'cannot' if near else 'can'} {apart}."
    if near == len(others):
        return f"None of the {group} can {apart}."
    return f"{near} of the {group} cannot {apart}." if near else f"Each of the {group} can {apart}."


def _of_runs(done: Sequence[FinishedRow]) -> Headline:
    """Of rows that differ in the seed only."""
    accuracies = [row.test.accuracy for row in done]
    span = f"from {percent(min(accuracies))} to {percent(max(accuracies))}"
    rest = f"over {len(done)} runs of one setting {_what(done[0])}, {span}."
    behind = f"Each is tested on {evidence(done[0])}{'' if tested_alike(done) else ', chosen anew by its seed'}."
    return Headline("mean test accuracy", percent(sum(accuracies) / len(done)), f"{rest} {behind}")


def _of_each_test(done: Sequence[FinishedRow]) -> Headline:
    """Of rows that are tested on different images."""
    tests: dict[tuple[object, ...], list[FinishedRow]] = {}
    for row in done:
        tests.setdefault(row.test_images, []).append(row)
    sentences = ["Rows are tested on different images, so none of them is called the best."]
    varied = [field for field in CHOOSE_TEST if len({getattr(row.config, field) for row in done}) > 1]
    for rows in tests.values():
        highest = max(rows, key=lambda row: row.test.accuracy)
        chosen = listed([_values(rows, field) for field in varied])
        figure = f"{'highest ' if len(rows) > 1 else ''}{percent(highest.test.accuracy)} ({highest.name})"
        sentences.append(f"With {chosen}: {figure}, on {evidence(highest)}.")
    return Headline("", "", " ".join(sentences))


def _values(rows: Sequence[FinishedRow], field: str) -> str:
    return amounts(field, list(dict.fromkeys(setting_text(row.config, field) for row in rows)))


def evidence(row: FinishedRow) -> str:
    """What stands behind a row's test figures: `2,487 test images of 71 source cells`."""
    images = counted(row.test.images, "test image")
    if row.result.sources_known:
        return f"{images} of {counted(row.test.sources, 'source cell')}"
    return f"{images} of an unknown number of source cells"
