import csv
import io
import re
from dataclasses import replace

import pytest

from bloodcell.config import GridConfig
from bloodcell.grids import load_grid
from bloodcell.report.comparisons import compare
from bloodcell.report.rows import finished
from bloodcell.report.table import class_lines, results_csv, results_table, runs_csv


def table(example):
    return results_table(example.rows, compare(finished(example.rows)))


def lines(found):
    return {
        line[0].text: dict(zip(found.headings, line, strict=True)) for group in found.groups for line in group.lines
    }


def bold(found, heading):
    return [name for name, line in lines(found).items() if line[heading].bold]


def test_columns_and_groups_are_the_studys(study):
    found = table(study)
    assert found.headings == (
        "Model",
        "Hidden Layer",
        "Dense Count",
        "Learning Rate",
        "Accuracy",
        "Learning Time (ms)",
    )
    assert [(group.title, [line[0].text for line in group.lines]) for group in found.groups] == [
        ("", ["basic"]),
        ("dense count", ["dense-16", "dense-32"]),
        ("hidden layers", ["hidden-2", "hidden-3"]),
        ("learning rate", ["rate-5e-5", "rate-1e-4"]),
    ]


def test_changed_settings_and_true_best_are_bold(study):
    found = table(study)
    assert bold(found, "Hidden Layer") == ["hidden-2", "hidden-3"]
    assert bold(found, "Dense Count") == ["dense-16", "dense-32"]
    assert bold(found, "Learning Rate") == ["rate-5e-5", "rate-1e-4"]
    assert bold(found, "Accuracy") == ["rate-5e-5"]
    assert bold(found, "Learning Time (ms)") == ["rate-1e-4"]


def test_ties_for_best_are_all_bold(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}, "c": {"dense_units": 32}})
    found = table(
        make(grid, {"a": figures(0.9, seconds=2), "b": figures(0.8, seconds=1), "c": figures(0.9, seconds=1)})
    )
    assert bold(found, "Accuracy") == ["a", "c"]
    assert bold(found, "Learning Time (ms)") == ["b", "c"]


def test_a_failed_row_shows_its_reason_and_is_never_best(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"dense_units": 16}})
    found = table(make(grid, {"a": figures(0.5), "b": "the loss became NaN in epoch 2\n  Remedy: a lower rate"}))
    assert lines(found)["b"]["Accuracy"].text == "failed: the loss became NaN in epoch 2"
    assert lines(found)["b"]["Learning Time (ms)"].text == ""
    assert bold(found, "Accuracy") == ["a"]


def test_a_failed_row_has_no_figures_even_if_an_old_result_is_handed_in(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}})
    example = make(grid, {"a": figures(0.5)})
    failed = example.run.model_copy(update={"rows": (example.run.rows[0].model_copy(update={"status": "failed"}),)})
    line = lines(table(replace(example, run=failed)))["a"]
    assert line["Accuracy"].text == "failed: the store holds no result under its key"


def test_other_varied_settings_have_a_column_and_several_at_once_stand_last(make, figures):
    stopping = {"early_stopping": {"patience": 2}}
    rows = {"base": {}, "both": {"batch_size": 64} | stopping, "stop": stopping, "batch": {"batch_size": 64}}
    grid = GridConfig(name="g", experiments=rows)
    found = table(make(grid, {row.name: figures(0.9) for row in grid.rows}))
    assert found.headings[4:6] == ("Batch Size", "Early Stopping")
    assert [group.title for group in found.groups] == ["", "early stopping", "batch size", "several settings"]
    last = found.groups[-1].lines[0]
    assert [cell.text for cell in last if cell.bold][:2] == [
        "64",
        "monitor val_loss, patience 2, min delta 0, restore best yes",
    ]


def test_image_size_that_follows_the_backbone_is_shown(make, figures):
    grid = GridConfig(name="g", experiments={"a": {"backbone": "VGG16"}, "b": {"backbone": "Xception"}})
    found = lines(table(make(grid, {"a": figures(0.9), "b": figures(0.8)})))
    assert [found[name]["Image Size"].text for name in "ab"] == ["224", "299"]
    assert [found[name]["Image Size"].bold for name in "ab"] == [False, True]


def test_an_image_size_that_is_the_backbones_own_is_no_change(make, figures):
    rows = {"a": {}, "b": {"dense_units": 16, "image_size": 299}}
    found = table(make(GridConfig(name="g", experiments=rows), {"a": figures(0.9), "b": figures(0.8)}))
    assert "Image Size" not in found.headings
    assert [group.title for group in found.groups] == ["", "dense count"]


def test_no_accuracy_is_best_where_rows_may_not_be_ranked(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"split": "pooled"}})
    found = table(make(grid, {"a": figures(0.9, seconds=2), "b": figures(0.8, seconds=1)}))
    assert bold(found, "Accuracy") == []
    assert bold(found, "Learning Time (ms)") == ["b"]


def test_a_class_that_was_never_called_has_no_precision(metrics):
    found = metrics(0.0, labels=("a", "b", "c"), images=30)
    confusion = ((0, 10, 0), (0, 10, 0), (0, 0, 0))
    classes = [figures.model_copy(update={"images": n}) for figures, n in zip(found.classes, (10, 10, 0), strict=True)]
    lines = class_lines(found.model_copy(update={"confusion": confusion, "classes": tuple(classes)}))
    assert lines == (
        ("a", "10", "\N{EN DASH}", "0.0000", "0.0000"),
        ("b", "10", "0.0000", "0.0000", "0.0000"),
        ("c", "0", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}"),
    )


def test_csv_holds_full_precision_and_every_row(make, figures):
    grid = GridConfig(name="g", experiments={"a": {}, "b": {"augmentation": {"rotation": 5}}})
    example = make(
        grid, {"a": figures(2077 / 2500 + 1e-9, seconds=3200.448415, waiting=1.25), "b": 'no "memory",\nat all'}
    )
    first, second = csv.DictReader(io.StringIO(results_csv(example.rows, compare(finished(example.rows))).decode()))
    assert float(first["test_accuracy"]) == 2077 / 2500 + 1e-9
    assert (first["learning_seconds"], first["learning_time_ms"]) == ("3200.448415", "3200448")
    assert float(first["waiting_fraction"]) == 12.5 / 3200.448415
    assert (first["image_size"], first["learning_rate"], first["seeds"]) == ("299", "1e-05", "0")
    assert (second["status"], second["reason"], second["test_accuracy"]) == ("failed", 'no "memory",\nat all', "")
    assert '"rotation": 5.0' in second["augmentation"]


def test_csv_has_a_header_of_settings_even_if_every_row_failed(make):
    grid = load_grid("blood-cell")
    example = make(grid, dict.fromkeys((row.name for row in grid.rows), "no store"))
    records = list(csv.DictReader(io.StringIO(results_csv(example.rows, compare(finished(example.rows))).decode())))
    assert [record["row"] for record in records] == [row.name for row in grid.rows]
    assert {record["reason"] for record in records} == {"no store"}


KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


def test_a_row_says_how_it_stands_to_the_best(make, figures):
    grid = GridConfig(name="g", experiments={name: {"hidden_layers": n} for n, name in enumerate("abc")})
    found = lines(table(make(grid, {"a": figures(0.9), "b": figures(0.89), "c": figures(0.3)}, sources=KNOWN)))
    standings = [found[row]["Against Best"].text for row in "abc"]
    assert standings == [
        "best",
        "tied with best",
        "\N{MINUS SIGN}60.00 points",
    ]
    assert all(re.fullmatch(r"\d+\.\d\N{EN DASH}\d+\.\d%", line["95% Interval"].text) for line in found.values())
    legend = "Against Best: how far a row's accuracy lies from the best, in percentage points."
    tied = "Tied: not to be told apart, cell by cell, at 5% for all 3 comparisons together."

    def explained(b, **options):
        outcomes = {"a": figures(0.9), "b": figures(b), "c": figures(0.3)}
        text = make(grid, outcomes, **options).markdown
        return legend in text, tied in text

    assert explained(0.89, sources=KNOWN) == (True, True)
    assert explained(0.2, sources=KNOWN) == (True, False)
    assert explained(0.89) == (False, False)
    equal = lines(table(make(grid, {"a": figures(0.9), "b": figures(0.9), "c": figures(0.3)}, sources=KNOWN)))
    assert [equal[row]["Against Best"].text for row in "ab"] == ["shared best"] * 2
    unknown = table(make(grid, {"a": figures(0.9), "b": figures(0.89), "c": figures(0.3)}))
    assert not {"95% Interval", "Against Best"} & set(unknown.headings)


def test_trainings_have_a_column_where_rows_have_more_or_fewer(make, figures, grid):
    twice = grid.model_copy(update={"seeds": 2})
    assert "Trainings" not in table(make(twice, dict.fromkeys("ab", figures(0.9)))).headings
    found = lines(table(make(twice, {"a": figures(0.9), "b": [figures(0.9), "out of memory"]})))
    assert [found[row]["Trainings"].text for row in "ab"] == ["2", "1"]


def test_every_training_has_a_line_of_its_own(make, figures, grid):
    twice = grid.model_copy(update={"seeds": 2})
    example = make(twice, {"a": [figures(0.9), figures(0.7)], "b": [figures(0.8), "out of memory"]}, sources=KNOWN)
    records = list(csv.DictReader(io.StringIO(runs_csv(example.rows).decode())))
    assert [(r["row"], r["seed"], r["test_accuracy"]) for r in records] == [
        ("a", "0", "0.9"), ("a", "1", "0.7"), ("b", "0", "0.8"), ("b", "1", "")
    ]  # fmt: skip
    assert records[3]["reason"] == "out of memory"
    (mean, _) = csv.DictReader(io.StringIO(results_csv(example.rows, compare(finished(example.rows))).decode()))
    assert (float(mean["test_accuracy"]), mean["trainings"], mean["seeds"]) == (pytest.approx(0.8), "2", "0 1")
    assert float(mean["test_accuracy_low"]) < 0.8 < float(mean["test_accuracy_high"])
