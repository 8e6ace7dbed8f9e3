"""What a reader must know before believing the figures."""

from collections.abc import Iterator, Sequence

from bloodcell.artifacts import LONG_WAIT, GridRun, LeakageAudit, NightVerdict, is_long_wait
from bloodcell.config import CHOOSE_TEST
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.leakage import SIBLING, described
from bloodcell.formatting import counted, listed, noun, percent
from bloodcell.report.machines import machine_differences
from bloodcell.report.night_texts import night_text
from bloodcell.report.rows import FinishedRow, Row, finished, ranked, tested_alike, unfinished

Caution = tuple[str, str]
"""What it is about in two or three words, and what it means."""


def cautions(rows: Sequence[Row], info: DatasetInfo, run: GridRun) -> tuple[Caution, ...]:
    """What limits the figures, gravest first."""
    return (
        *_of_night(run.verdicts),
        *_of_data(rows, info),
        *_of_split(rows, info, run.leakage),
        *_of_comparison(finished(rows)),
    )


def _of_night(verdicts: Sequence[NightVerdict]) -> Iterator[Caution]:
    for kind in ("worse", "better"):
        if rows := [night_text(verdict) for verdict in verdicts if verdict.verdict == kind]:
            yield f"{kind.capitalize()} than the nights before", f"{listed(rows)}."


def _of_data(rows: Sequence[Row], info: DatasetInfo) -> Iterator[Caution]:
    if info.synthetic:
        yield "Synthetic data", "A program drew these images. The figures say nothing about real blood cells."
    if failed := unfinished(rows):
        names = listed([row.name for row in failed])
        have = f"{len(failed)} of {counted(len(rows), 'row')} ended without a result: {names}. The reasons stand below."
        yield "Failed rows", have
    done = finished(rows)
    if lost := [row for row in done if row.failures]:
        some = listed([f"{row.name} ({counted(len(row.failures), 'training')})" for row in lost])
        yield "Failed trainings", f"These rows lost trainings: {some}."
    in_rank = {row.name for row in ranked(done)}
    if fewer := [row for row in done if row.name not in in_rank]:
        some = listed([f"{row.name} ({len(row.seeds)})" for row in fewer])
        every = len({seed for row in done for seed in row.seeds})
        yield "Not ranked", f"These rows have fewer trainings than the {every} of the grid, and so no rank: {some}."


def _of_split(rows: Sequence[Row], info: DatasetInfo, leakage: Sequence[LeakageAudit]) -> Iterator[Caution]:
    """What training may give away of the images that are scored."""
    if info.sources_known:
        if leaked := described(leakage, "test"):
            yield "Leakage", f"{leaked}. Such images say little about new cells, on which accuracy may be far lower."
        if leaked := described(leakage, "validation"):
            yield "Validation not independent", f"{leaked}, so validation figures may be too good."
        return
    pooled = ", and split pooled keeps none apart" if any(row.config.split == "pooled" for row in rows) else ""
    unknown = (
        "Images of one cell are not independent; without the source cells no interval can be given. "
        f"How many test images have {SIBLING} is unknown{pooled}."
    )
    yield "Source cells unknown", unknown
    shared = "Validation images may share cells with training, so validation figures may be too good."
    yield "Validation not independent", shared
    if not info.declared.get("TEST"):
        drawn = (
            "Test images are drawn from the same images, may share cells with training too, and so may look too good."
        )
        yield "Test not independent", drawn


def _of_comparison(done: Sequence[FinishedRow]) -> Iterator[Caution]:
    """What limits comparing one row with another."""
    if done and (caution := _trainings(done)):
        yield caution
    if done and (caution := _without_looking(done)):
        yield caution
    if not tested_alike(done):
        fields = [field for field in CHOOSE_TEST if len({getattr(row.config, field) for row in done}) > 1]
        choose = f"{listed([noun(field) for field in fields])}, which {'choose' if len(fields) > 1 else 'chooses'}"
        yield "Different test images", f"Rows differ in {choose} the test images: their test figures do not compare."
    if differences := machine_differences(done):
        yield "Learning times do not compare", f"Rows ran under different conditions: {'; '.join(differences)}."
    if slow := [f"{row.name} ({row.waiting:.1%})" for row in done if is_long_wait(row.waiting or 0, row.seconds)]:
        remedy = (
            "Learning times are longer than need be: keep the cache (BLOODCELL_CACHE) on a fast disk of the machine, "
            "leave memory free for the images in it, or run fewer experiments at once."
        )
        yield "Waited for data", f"More than {LONG_WAIT:.0%} of their learning time: {listed(slow)}. {remedy}"


def _trainings(done: Sequence[FinishedRow]) -> Caution | None:
    """That one training a row says nothing of the next, and two say little."""
    number = max(len(row.results) for row in done)
    if number > 2:
        few = [row.name for row in done if len(row.results) <= 2 and row.cells]
        by_chance = "how wide the interval of a row with one or two trainings is, is largely chance"
        return ("Few trainings of some rows", f"{listed(few)}: {by_chance}.") if few else None
    if number == 2:
        little = "How much trainings of a row differ rests on two of each: rows may be told apart that are equal"
        by_chance = ", and how wide a row's interval is, is largely chance" if any(row.cells for row in done) else ""
        return "Two trainings per row", f"{little}{by_chance}. A grid with seeds: 3 is on firmer ground."
    order = ", and another seed may order the rows differently" if len(done) > 1 else ""
    uncovered = "No interval covers the variation from training to training"
    seed = done[0].seeds[0]
    return "One training per row", f"Seed {seed}. {uncovered}{order}. A grid with seeds: 3 trains each row three times."


def _without_looking(done: Sequence[FinishedRow]) -> Caution | None:
    """Which rows are not known to beat a model that calls every image the same."""
    commonest = max(done[0].test.classes, key=lambda figures: figures.images)
    share = commonest.images / max(done[0].test.images, 1)
    lowest = {row.name: row.cells["test"].accuracy.low if "test" in row.cells else row.test.accuracy for row in done}
    near = [name for name, low in lowest.items() if low <= share]
    if not tested_alike(done) or not near:
        return None
    alike = f"To call every test image {commonest.label} is right for {percent(share)}"
    some = f"of {listed(near)} it is not known that they do better" if len(near) > 1 else f"{near[0]} may do no better"
    return (
        "No better than one answer for all",
        f"{alike}; {'no row is known to do better' if len(near) == len(done) else some}.",
    )
