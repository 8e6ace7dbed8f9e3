"""The known mistakes of the study that this report replaces, looked for in a report of its own figures."""

import re

import pytest

from bloodcell.grids import load_grid
from bloodcell.report import confusion, plots

NETWORKS = ("MobileNet", "InceptionV3", "ResNet50", "Xception", "VGG16")


def cells(markdown: str, row: str) -> list[str]:
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def section(markdown: str, title: str) -> str:
    return markdown.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]


@pytest.fixture(scope="module")
def markdown(study):
    return study.markdown


@pytest.mark.parametrize(("grid", "network"), [("blood-cell", "InceptionV3"), ("mobilenet", "MobileNet")])
def test_every_mention_of_the_backbone_is_the_configured_one(grid, network, seven, monkeypatch):
    titles = []
    for name in ("curves", "comparison"):
        monkeypatch.setattr(plots, name, lambda _, title, **__: titles.append(title) or b"")
    monkeypatch.setattr(confusion, "matrices", lambda *arguments: titles.append(arguments[2]) or b"")
    text = seven(load_grid(grid)).markdown
    assert text.startswith(f"# Grid {grid}: {network} on ")
    assert text.count(f"**{network} - F - D(8) - D(8)**") == 1
    assert sum(f"{network} - F - D(" in title for title in titles) == 7
    assert not [other for other in NETWORKS if other != network and other in text + " ".join(titles)]


def test_learning_time_is_in_real_milliseconds(markdown):
    assert cells(markdown, "basic")[5] == "3,200,448"
    assert "Learning time **3,200.448 s (0:53:20)** for 10 epochs" in section(markdown, "basic")


def test_accuracy_is_that_on_the_test_images_and_the_best_row_is_not_lost(markdown):
    assert cells(markdown, "rate-5e-5")[4] == "**99.84%**"
    assert re.findall(r"\*\*\d+\.\d\d%\*\*", markdown) == ["**99.84%**"]
    assert "Best test accuracy: **99.84% by rate-5e-5**" in markdown
    assert "82.52%" not in markdown


def test_no_fraction_loses_its_decimal_point(markdown, study):
    for row in study.run.rows:
        for split, figures in study.results[row.key].metrics.items():
            line = next(line for line in section(markdown, row.name).splitlines() if line.startswith(f"| {split} |"))
            assert f"| {figures.loss:.4f} | {figures.accuracy:.4f} |" in line
    assert "8248" not in markdown.replace("0.8248", "")


def test_reflections_do_not_contradict_the_table(markdown):
    hidden = section(markdown, "Hidden layers")
    assert "test accuracy is 99.44%, 99.16% and 50.08%" in hidden
    assert "As measured it falls at every step." in hidden
    assert "rise" not in hidden
    assert "As measured it rises, then falls." in section(markdown, "Dense count")
    assert "As measured it rises, then falls." in section(markdown, "Learning rate")


def test_nothing_is_judged_whose_source_cells_are_unknown(markdown):
    assert "sampling error" not in markdown
    assert "told apart" not in markdown
    assert "95%" not in markdown
    assert "without the source cells no interval can be given" in markdown.split("## Experiments")[0]


def test_the_limits_of_the_figures_stand_before_them(markdown):
    opening = markdown.split("## Results")[0]
    assert "in training is unknown, and split pooled keeps none apart" in opening
    assert "Images of one cell are not independent" in opening
    assert "Validation images may share cells with training" in opening
    assert "**One training per row**: Seed 0. No interval covers the variation from training to training" in opening
