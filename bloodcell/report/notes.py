"""Explanations that stand once in the report, each only where it applies."""

from collections.abc import Sequence

from bloodcell.data.dataset import DatasetInfo
from bloodcell.report.rows import Row, best, finished, runs_of_one_setting


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
    if not done or best(done):
        return f"{changed}, the highest accuracy and the least learning time."
    why = "are runs of one setting" if runs_of_one_setting(done) else "were tested on different images"
    return f"{changed}, and the least learning time. No accuracy is bold, as the rows {why}."


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


def runs(rows: Sequence[Row]) -> str:
    """How many runs the reflections rest on."""
    done = finished(rows)
    if len({row.setting for row in done}) == len(done):
        return "There is one run per setting, so nothing is claimed beyond these runs."
    return "Rows that differ in the seed only are runs of one setting, and are not ranked among themselves."


def train_figures(rows: Sequence[Row]) -> str:
    """Why the curves' training line is not the train figure."""
    drops = [row.config.dropout > 0 and row.config.hidden_layers > 0 for row in rows]
    off = ", with dropout off" if any(drops) else ""
    on = "" if not any(drops) else ", with dropout on" if all(drops) else ", with dropout on where a row has any"
    return (
        f"Train figures in the tables are measured after training{off}. The curves' training line is measured during "
        f"each epoch, while the weights still change{on}, and so usually looks worse."
    )
