from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bloodcell.report.cells import cell_counts
from bloodcell.report.evidence import cells_note, interval_lines, wide_note
from tests.report.conftest import LABELS
from tests.report.test_intervals import draw

pytestmark = pytest.mark.usefixtures("undrawn")


def predictions(seed: int, seen: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    tables = [draw(rng).assign(split="test")]
    if seen:
        tables.append(draw(rng, concentration=50, cells=(60, 20, 12, 150), images=(3, 3, 3, 3)).assign(split="seen"))
    table = pd.concat(tables, ignore_index=True)
    names = {"EOS": LABELS[0], "LYM": LABELS[1], "MON": LABELS[2], "NEU": LABELS[3]}
    return table.replace({"label": names, "predicted": names})


@pytest.fixture
def example(make, figures, grid):
    built = make(grid, {"a": figures(0.8, seen=0.9), "b": figures(0.9, seen=0.9)}, sources={"test": 68, "train": 254,
                 "validation": 50, "seen": 242})  # fmt: skip
    cells = {key: cell_counts(predictions(number), LABELS) for number, key in enumerate(built.results)}
    return replace(built, cells=cells)


def test_new_cells_stand_beside_seen_ones_with_their_difference(example):
    lines = {line[0]: line[1:] for line in interval_lines(example.rows[0])}
    cells = example.rows[0].cells
    assert list(lines) == [
        "Accuracy on new cells", "Accuracy on seen cells", "Gain from having seen the cell", "Balanced accuracy",
        "Macro F1", *(f"Recall of {label}" for label in LABELS),
    ]  # fmt: skip
    new, seen = cells["test"].accuracy, cells["seen"].accuracy
    assert lines["Accuracy on new cells"] == (f"{new.value:.2%}", f"{new.low:.2%} to {new.high:.2%}", "68")
    assert lines["Accuracy on seen cells"][2] == "242"
    assert lines["Recall of MONOCYTE"][2] == "4"
    assert lines["Gain from having seen the cell"][0] == f"{(seen.value - new.value) * 100:+.2f} points".replace(
        "-", "\N{MINUS SIGN}"
    )


def test_the_report_has_them_for_each_row_and_its_first_words_that_of_the_best(example):
    assert example.markdown.count("| Figure | Value | 95% interval | Source cells |") == 2
    best = example.rows[1].cells["test"].accuracy
    assert (
        f"source cells, one training per row (seed 0): 95% interval over cells {best.low:.2%} to {best.high:.2%}."
        in example.opening
    )
    assert example.markdown.count("The 95% intervals resample source cells") == 1
    assert "test_accuracy_low" in example.files["results.csv"].decode().splitlines()[0]


def test_where_cells_are_unknown_there_are_no_intervals(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9)})
    assert interval_lines(example.rows[0]) == ()
    assert "95% interval" not in example.markdown


def test_the_gain_is_that_of_new_cells_and_stands_nowhere_else(make, figures, grid, example):
    pooled = make(grid.with_overrides({"split": "pooled"}), {"a": figures(0.8, seen=0.9), "b": figures(0.9, seen=0.9)},
                  sources={"test": 68, "train": 254, "validation": 50, "seen": 242})  # fmt: skip
    names = [[line[0] for line in interval_lines(built.rows[0])] for built in (example, pooled)]
    assert ["Gain from having seen the cell" in own for own in names] == [True, False]
    assert names[1][:2] == ["Accuracy on the test", "Accuracy on seen cells"]


@pytest.mark.parametrize(
    ("accuracies", "test", "told"),
    [
        ((0.2, 0.9, 0.5), 2500, True),
        ((0.8, 0.8, 0.8), 2500, False),
        ((0.8, 0.8, 0.8), 12, True),
        ((0.2, 0.9), 2500, True),
        ((0.8,), 12, True),
        ((0.8,), 2500, False),
        ((0.8, 0.8, 0.8, 0.8), 12, True),
    ],
)
def test_intervals_that_say_nothing_are_said_to(make, figures, grid, accuracies, test, told):
    several = grid.model_copy(update={"seeds": len(accuracies)})
    sources = {"test": test, "train": 254, "validation": 50, "seen": 242}
    outcome = [figures(value) for value in accuracies]
    (row, _) = make(several, {"a": outcome, "b": outcome}, sources=sources).rows
    trainings = f", or on {len(accuracies)} trainings that differ much" if len(accuracies) > 1 else ""
    why = f"it rests on few source cells{trainings}."
    assert (why in wide_note(row)) == bool(wide_note(row)) == told


def test_why_an_interval_is_wide_stands_beneath_the_table(make, figures, grid):
    twice = grid.model_copy(update={"seeds": 2})
    outcomes = {"a": [figures(0.2), figures(0.9)], "b": figures(0.8)}
    sources = {"test": 2500, "train": 254, "validation": 50, "seen": 242}
    text = make(twice, outcomes, sources=sources).markdown
    assert text.count("Where an interval is wider than half the scale, its figure says next to nothing:") == 1
    assert text.count("| 625 |\n\nWhere an interval is wider than half the scale") == 1


def test_counts_of_cells_that_differ_from_table_to_table_are_explained(example, make, figures, grid):
    assert cells_note(example.rows) == ""
    twofold = predictions(0)
    test = twofold.index[twofold["split"] == "test"]
    source = twofold.loc[test[0], "source"]
    own = twofold.index[(twofold["source"] == source) & (twofold["split"] == "test")]
    twofold.loc[own[0], "label"] = next(label for label in LABELS if label != twofold.loc[own[0], "label"])
    first, second = example.results
    note = cells_note(replace(example, cells={first: cell_counts(twofold, LABELS), second: example.cells[second]}).rows)
    assert note.startswith("1 test cell has images under two labels, and counts for both recalls")
    twice = make(
        grid.model_copy(update={"seeds": 2}), dict.fromkeys("ab", figures(0.8)), sources={"test": 68, "train": 254,
        "validation": 50, "seen": 242}
    )  # fmt: skip
    assert "are means over a row's trainings; the source cells beside an interval are all that any" in twice.markdown
