"""The report's title, and its first sentences: what came out on top, and what stands behind it."""

from collections.abc import Sequence
from typing import NamedTuple

from bloodcell.artifacts import GridRun, SplitMetrics
from bloodcell.config import CHOOSE_TEST, ExperimentConfig
from bloodcell.data.dataset import DatasetInfo
from bloodcell.formatting import amounts, counted, listed, noun, percent, runs_text, setting_text
from bloodcell.report.comparisons import Comparisons
from bloodcell.report.evidence import interval_text
from bloodcell.report.rows import FinishedRow, Row, best, finished, tested_alike, unfinished, varied_fields

_DEFAULT = ExperimentConfig()


def title(run: GridRun, info: DatasetInfo) -> str:
    """The grid, a night's date, the backbones as configured, the dataset, and the split where it is not the default.

    Synthetic images are called so.
    """
    networks = list(dict.fromkeys(row.config.network for row in run.rows))
    subject = listed(networks) if len(networks) <= 3 else f"{len(networks)} backbones"
    on = "synthetic images" if info.synthetic else info.name
    night = f", night of {run.started:%Y-%m-%d}" if run.nightly else ""
    splits = list(dict.fromkeys(row.config.split for row in run.rows))
    split = "" if splits == [_DEFAULT.split] else f", {'split' if len(splits) == 1 else 'splits'} {listed(splits)}"
    return f"Grid {run.grid.name}{night}: {subject} on {on}{split}"


def distinction(run: GridRun, rows: Sequence[Row]) -> str:
    """What tells a run from others of its grid: its trainings, and what all its rows set otherwise than the default."""
    sentences = [f"This is run {run.run_id}."]
    if run.nightly:
        sentences.append(
            "It is a night that starts anew: no night before it counts."
            if run.nightly == "restart"
            else "It is a night: its new trainings are compared with those of the nights before."
        )
    if run.forced:
        sentences.append("It was forced: it trained anew what had a result.")
    seeds = sorted({outcome.config.seed for outcome in run.rows})
    if len(seeds) > 1:
        least = min(len(row.outcomes) for row in rows)
        times = str(len(seeds)) if least == len(seeds) else f"{least} to {len(seeds)}"
        sentences.append(f"Each row is trained {times} times, with seeds {runs_text(seeds)}.")
    config = rows[0].config
    same = {"seed", "weights_sha256", "backbone", *varied_fields(rows)}
    fields = [field for field in ExperimentConfig.model_fields if field not in same]
    other = [field for field in fields if getattr(config, field) != getattr(_DEFAULT, field)]
    if other:
        settings = listed([f"{noun(field)} {setting_text(config, field)}" for field in other])
        sentences.append(f"Set otherwise than by default, in all rows: {settings}.")
    return " ".join(sentences)


class Headline(NamedTuple):
    """What the figure is, the figure (empty where there is none to show), and the sentences that follow it."""

    label: str
    figure: str
    rest: str


def headline(rows: Sequence[Row], info: DatasetInfo, compared: Comparisons) -> Headline:
    """The best figure and what stands behind it, or why no row is called the best.

    Args:
        rows: Of the grid run.
        info: The dataset it ran on.
        compared: Its rows with one another.
    """
    done = finished(rows)
    if not done:
        return Headline("", "", f"None of the {counted(len(rows), 'row')} has a result.")
    winners = best(done)
    if winners:
        return _of_winners(winners, rows, info, compared)
    if tested_alike(done):
        return Headline("", "", "No row has a result of every seed, so none of them is called the best.")
    return _of_each_test(done)


def _of_winners(
    winners: Sequence[FinishedRow], rows: Sequence[Row], info: DatasetInfo, compared: Comparisons
) -> Headline:
    first, done = winners[0], finished(rows)
    one = len(winners) == 1
    sentences = [f"{_what(first) if one else '(the same figure)'}, on {evidence(first)}, {_trained(winners, rows)}."]
    if one and (seen := first.metrics.get("seen")):
        interval = f" (95% interval {interval_text(first.cells['seen'].accuracy)})" if "seen" in first.cells else ""
        sentences.append(f"On {_seen_images(seen, first, info)}, it reaches {percent(seen.accuracy)}{interval}.")
    if others := [row for row in done if row not in winners]:
        if judged := [row for row in others if compared.between(first, row)]:
            kind = "row" if len(judged) == len(rows) - len(winners) else "ranked row"
            sentences.append(_rivals(first, judged, compared, kind))
        picked = f"{'It was' if one else 'They were'} picked on these same test images"
        sentences.append(f"{picked}: expect less on new ones.")
    label = "mean test accuracy" if len(first.results) > 1 else "test accuracy"
    figure = f"{percent(first.test.accuracy)} by {listed([row.name for row in winners])}"
    return Headline(f"best {label}" if len(done) > 1 else label, figure, " ".join(sentences))


def _trained(winners: Sequence[FinishedRow], rows: Sequence[Row]) -> str:
    """In how many trainings, and the interval of each where there is one."""
    row = winners[0]
    once = f"one training{' per row' if len(rows) > 1 else ''} (seed {row.seeds[0]})"
    trained = f"the mean of {len(row.results)} trainings" if len(row.results) > 1 else once
    if "test" not in row.cells:
        return trained
    over = "cells and seeds" if len(row.results) > 1 else "cells"
    if len(winners) == 1:
        return f"{trained}: 95% interval over {over} {interval_text(row.cells['test'].accuracy)}"
    intervals = [interval_text(each.cells["test"].accuracy) for each in winners]
    if len(set(intervals)) == 1:
        return f"{trained}: 95% interval over {over} {intervals[0]}, of each"
    own = listed([f"{text} ({each.name})" for text, each in zip(intervals, winners, strict=True)])
    return f"{trained}: 95% intervals over {over} {own}"


def _what(row: FinishedRow) -> str:
    return f"({row.config.architecture}, learning rate {setting_text(row.config, 'learning_rate')})"


def _seen_images(seen: SplitMetrics, row: FinishedRow, info: DatasetInfo) -> str:
    if row.result.sources_known:
        images = counted(seen.images, "held-out image")
        if len(row.results) > 1 and "seen" in row.cells:  # each training holds out others
            cells = counted(row.cells["seen"].accuracy.cells, "cell")
            return f"{images} a training, of {cells} in all that it saw in training"
        return f"{images} of {counted(seen.sources, 'cell')} that it saw in training"
    whole = "TRAIN" if info.declared.get("TRAIN") else "the training images"
    return f"{counted(seen.images, 'randomly held-out image')} of {whole}, whose cells may also have trained"


def _rivals(winner: FinishedRow, others: Sequence[FinishedRow], compared: Comparisons, kind: str) -> str:
    """How many of the others are as good for all that the test can tell."""
    tied = sum(compared.tied(winner, other) for other in others)
    few = "" if compared.seeds > 2 else " in these trainings"
    if len(others) == 1:
        return f"The other {kind} is tied with it." if tied else f"The other {kind} is worse{few}."
    if tied == len(others):
        return f"All other {tied} {kind}s are tied with it."
    if tied:
        return f"{tied} of the other {len(others)} {kind}s {'is' if tied == 1 else 'are'} tied with it."
    return f"Each of the other {len(others)} {kind}s is worse{few}."


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


def result_of(rows: Sequence[Row], info: DatasetInfo, compared: Comparisons) -> str:
    """The best figure, and how many rows have none, in a sentence for one who looks no further.

    Args:
        rows: The run's.
        info: The dataset it ran on.
        compared: The rows with one another.
    """
    best = headline(rows, info, compared)
    if not best.figure:
        return best.rest
    label = f"Synthetic data: {best.label}" if info.synthetic else best.label.capitalize()
    failed = len(unfinished(rows))
    return f"{label}: {best.figure}." + (f" {failed} of {counted(len(rows), 'row')} failed." if failed else "")
