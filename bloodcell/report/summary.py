"""The report's first lines: what was asked, what came out on top, and what a reader must know before believing it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.formatting import counted, listed, noun, percent, setting_text
from bloodcell.report.rows import FinishedRow, Row, best, finished, unfinished
from bloodcell.report.statistics import difference

Caution = tuple[str, str]
"""What it is about in two or three words, and what it means."""

_MOVES_TEST = ("split", "seed", "test_fraction")
"""Settings that may change which images are the test images."""


def title(run: GridRun, info: DatasetInfo) -> str:
    """The backbones as configured, the dataset and the grid; synthetic data are called so."""
    networks = list(dict.fromkeys(row.config.network for row in run.rows))
    subject = listed(networks) if len(networks) <= 3 else f"{len(networks)} backbones"
    data = f"synthetic data ({info.name})" if info.synthetic else info.name
    return f"{subject} on {data}: grid {run.grid.name}"


class Headline(NamedTuple):
    """The highest test accuracy with the rows that reach it, empty where no row has a result; and what is behind it."""

    figure: str
    rest: str


def headline(rows: Sequence[Row]) -> Headline:
    """The best figure, and what stands behind it."""
    done = finished(rows)
    if not done:
        return Headline("", f"None of the {counted(len(rows), 'row')} has a result.")
    winners = best(done)
    first = winners[0]
    figure = f"{percent(first.test.accuracy)} by {listed([row.name for row in winners])}"
    rate = setting_text(first.config, "learning_rate")
    what = f"({first.config.architecture}, learning rate {rate})" if len(winners) == 1 else "(a tie)"
    sentences = [f"{what}, on {evidence(first)}."]
    if len(winners) == 1 and (seen := first.result.metrics.get("seen")):
        sentences.append(
            f"On {counted(seen.images, 'held-out image')} of cells that it saw in training "
            f"it reaches {percent(seen.accuracy)}."
        )
    others = [row for row in done if row not in winners]
    if others:
        near = sum(not difference(first.test, other.test).beyond_error for other in others)
        sentences.append(
            f"{near} of the {counted(len(others), 'other row')} {'is' if near == 1 else 'are'} too close to tell apart "
            f"with this many {'cells' if first.result.sources_known else 'images'}. The best is chosen by the images "
            "that score it: expect somewhat less on images that had no part in the choice."
        )
    return Headline(figure, " ".join(sentences))


def evidence(row: FinishedRow) -> str:
    """What stands behind a row's test figures: `2,487 test images of 71 source cells`."""
    images = counted(row.test.images, "test image")
    if row.result.sources_known:
        return f"{images} of {counted(row.test.sources, 'source cell')}"
    return f"{images} of an unknown number of source cells"


def cautions(rows: Sequence[Row], info: DatasetInfo) -> tuple[Caution, ...]:
    """What limits the figures, gravest first."""
    found: list[Caution] = []
    if info.synthetic:
        found.append(("Synthetic data", "A program drew these images. The figures say nothing about real blood cells."))
    if failed := unfinished(rows):
        names = listed([row.name for row in failed])
        have = f"{len(failed)} of {counted(len(rows), 'row')} ended without a result: {names}. The reasons stand below."
        found.append(("Failed rows", have))
    if any(row.config.split == "pooled" for row in rows):
        siblings = (
            "All images are pooled before they are split, so test images may have siblings (other images of the "
            "same cell) in training. Accuracy on new cells may be far lower."
        )
        found.append(("Pooled split", siblings))
    if not info.sources_known:
        counting = "Each image is counted as its own source; siblings of a test image may have been trained on."
        found.append(("Source cells unknown", counting))
    return (*found, *_comparability(finished(rows)))


def _comparability(done: Sequence[FinishedRow]) -> Iterator[Caution]:
    """What limits comparing one row with another."""
    if not done:
        return
    seeds = sorted({row.config.seed for row in done})
    single = (
        f"{'Seed' if len(seeds) == 1 else 'Seeds'} {listed([str(seed) for seed in seeds])}. No interval covers the "
        "variation from run to run, and another seed may order the rows differently."
    )
    yield "One run per setting", single
    moved = [field for field in _MOVES_TEST if len({getattr(row.config, field) for row in done}) > 1]
    if moved:
        differ = (
            f"Rows differ in {listed([noun(field) for field in moved])}, which may choose other images for the test."
        )
        yield "Test images may differ", differ
    if len({_machine(row) for row in done}) > 1:
        yield "Several machines", "Rows were trained on different devices, so their learning times do not compare."


def _machine(row: FinishedRow) -> tuple[str, ...]:
    return tuple(str(row.result.environment.get(key)) for key in ("device", "processor", "threads"))
