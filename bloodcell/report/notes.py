"""Explanations that stand once in the report, each only where it applies."""

from collections.abc import Sequence

from bloodcell.artifacts import GridRun
from bloodcell.data.dataset import DatasetInfo
from bloodcell.formatting import listed, runs_text
from bloodcell.report.comparisons import Comparisons
from bloodcell.report.machines import machine_differences
from bloodcell.report.rows import Row, best, finished, tested_alike


def seen(rows: Sequence[Row], info: DatasetInfo) -> str:
    """What the split `seen` is; empty where no row has one."""
    if not any("seen" in row.result.metrics for row in finished(rows)):
        return ""
    if info.sources_known:
        return "images of training cells that were held out"
    return f"a random part of {'TRAIN' if info.declared.get('TRAIN') else 'the training images'}, held out"


def bold(rows: Sequence[Row]) -> str:
    """What bold type means in the results table."""
    changed = "Bold: the settings in which a row differs from the first"
    done = finished(rows)
    ranked = not done or best(done)
    parts = [changed]
    if ranked:
        parts.append("the highest accuracy")
    if not machine_differences(done):
        parts.append("the least learning time")
    if ranked:
        return f"{listed(parts)}."
    why = "no row has a result of every seed" if tested_alike(done) else "the rows were tested on different images"
    return f"{listed(parts)}. No accuracy is bold, as {why}."


def learning_time(rows: Sequence[Row]) -> str:
    """What is in the learning times; empty where there are none."""
    if not finished(rows):
        return ""
    return (
        "Learning time is the wall-clock of the epochs, with the tracing in the first one and with whatever else the "
        "machine did meanwhile."
    )


def several(rows: Sequence[Row]) -> str:
    """That rows which change several settings are on no axis; empty where there is none."""
    count = sum(len(row.changed) > 1 for row in rows)
    if not count:
        return ""
    return (
        "1 row changes several settings at once and stands in the table only."
        if count == 1
        else f"{count} rows change several settings at once and stand in the table only."
    )


def accuracy(rows: Sequence[Row], compared: Comparisons) -> str:
    """What the figures in the results table are, where they are more than those of one training."""
    done = finished(rows)
    sentences = []
    seeds = sorted({seed for row in done for seed in row.seeds})
    if len(seeds) > 1:
        least = min(len(row.results) for row in done)
        each = "" if least == len(seeds) else " that a row has"
        sentences.append(f"Figures are means over the trainings with seeds {runs_text(seeds)}{each}.")
    if any("test" in row.cells for row in done):
        over = "source cells and seeds" if len(seeds) > 1 else "source cells"
        sentences.append(f"Intervals are over {over}.")
    winners = best(done)
    if winners and compared.pairs:
        sentences.append("Against Best: how far a row's accuracy lies from the best, in percentage points.")
    if any(compared.tied(winners[0], row) for row in done if winners and row not in winners):
        every = "" if len(compared.pairs) == 1 else f" for all {len(compared.pairs):,} comparisons together"
        by = "cell by cell and seed by seed" if len(seeds) > 1 else "cell by cell"
        sentences.append(f"Tied: not to be told apart, {by}, at 5%{every}.")
    return " ".join(sentences)


def runs(compared: Comparisons) -> str:
    """How many trainings the reflections rest on; empty where several do and no rows are compared."""
    if compared.seeds <= 1:
        once = "There is one training per setting, so nothing is claimed beyond these trainings"
        return (
            f"{once}: more than chance, and p, are of other cells, not of other seeds."
            if compared.pairs
            else f"{once}."
        )
    if not compared.pairs:
        return ""
    if compared.seeds == 2:
        return "There are two trainings per setting: rows that are apart may be equal with other seeds."
    return "Where rows are apart, both other cells and other seeds are unlikely to close the gap."


def reasons(row: Row) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each distinct reason for which trainings of a row have no result: the seeds it concerns, and its lines."""
    seeds: dict[tuple[str, ...], list[int]] = {}
    for failure in row.failures:
        seeds.setdefault(failure.reason, []).append(failure.seed)
    return tuple((f"{'seed' if len(own) == 1 else 'seeds'} {runs_text(own)}", lines) for lines, own in seeds.items())


def architecture(rows: Sequence[Row]) -> str:
    """How the notation of an architecture reads, on the first row that has a hidden layer."""
    config = next((row.config for row in rows if row.config.hidden_layers), rows[0].config)
    width = " with its width in parentheses" if any(row.config.width != 1 for row in rows) else ""
    dropout = " with dropout" if config.dropout else ""
    hidden = f"; each D(n) is a hidden dense layer of n units{dropout}" if config.hidden_layers else ""
    return (
        f"{config.architecture} reads from input to output: the backbone{width}; F, which flattens what it "
        f"finds{hidden}. A dense layer with softmax, one unit a class, follows."
    )


def night(run: GridRun) -> str:
    """What the verdicts of a night mean; empty where the run is none."""
    if not run.nightly:
        return ""
    if not run.verdicts:
        return "Tonight trained nothing anew, so there is nothing to compare."
    if all(verdict.verdict == "too early" for verdict in run.verdicts):
        wanted = max(verdict.wanted for verdict in run.verdicts)
        takes = f": a verdict takes {wanted} of each row" if wanted else ""
        return f"There are too few trainings of earlier nights to say by how much trainings of one row differ{takes}."
    return (
        "Tonight's trainings against those of the nights before. Trainings of a row differ by seed; a change is called "
        "noise unless it is larger than that explains, at 5% for all rows together."
    )


def train_figures(rows: Sequence[Row]) -> str:
    """Why the curves' training line is not the train figure."""
    drops = [row.config.dropout > 0 and row.config.hidden_layers > 0 for row in rows]
    off = ", with dropout off" if any(drops) else ""
    on = "" if not any(drops) else ", with dropout on" if all(drops) else ", with dropout on where a row has any"
    return (
        f"Train figures in the tables are measured after training{off}. The curves' training line is measured during "
        f"each epoch, while the weights still change{on}, and so usually looks worse; after few epochs it may look "
        "better, as it normalises by each batch and the tables by moving statistics, which lag behind."
    )
