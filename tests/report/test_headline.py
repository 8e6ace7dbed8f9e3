import re

import pytest

from bloodcell.config import GridConfig

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


def test_headline_names_the_images_and_cells_behind_the_best(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN).opening
    assert (
        "**90.00% by b** (InceptionV3 - F - D(16), learning rate 1e-5), on 2,500 test images of 71 source cells."
        in text
    )
    assert "Source cells unknown" not in text


def test_headline_counts_the_rows_that_are_as_good_for_all_one_can_tell(make, figures):
    grid = GridConfig(name="g", experiments={f"h{number}": {"hidden_layers": number} for number in range(4)})
    outcomes = dict(zip(("h0", "h1", "h2", "h3"), map(figures, (0.92, 0.9, 0.88, 0.5)), strict=True))
    text = make(grid, outcomes, sources=KNOWN).opening
    assert (
        "2 of the other 3 rows cannot be told apart from it on 71 cells. "
        "It was picked on these same test images: expect slightly less on new ones." in text
    )


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((0.9,), "The other row cannot be told apart from it on 71 cells."),
        ((0.2,), "The other row can be told apart from it on 71 cells."),
        ((0.9, 0.9), "None of the other 2 rows can be told apart from it on 71 cells."),
        ((0.2, 0.3), "Each of the other 2 rows can be told apart from it on 71 cells."),
    ],
)
def test_headline_counts_in_plain_words(make, figures, others, words):
    grid = GridConfig(name="g", experiments={f"h{n}": {"hidden_layers": n} for n in range(len(others) + 1)})
    outcomes = {row.name: figures(value) for row, value in zip(grid.rows, (0.92, *others), strict=True)}
    assert words in make(grid, outcomes, sources=KNOWN).opening


def test_headline_judges_nothing_whose_source_cells_are_unknown(make, figures, grid):
    text = make(grid, {"a": figures(0.2), "b": figures(0.9)}).markdown
    assert "on 2,500 test images of an unknown number of source cells. It was picked on these same" in text
    assert not re.search("told apart|sampling error|95%|Agresti", text)
    assert (
        "Images of one cell are not independent; without the source cells no interval can be given."
        in make(grid, {"a": figures(0.2), "b": figures(0.9)}).opening
    )


@pytest.mark.parametrize(("declares_test", "whole"), [(True, "TRAIN"), (False, "the training images")])
def test_seen_is_a_random_part_of_the_training_images_where_cells_are_unknown(
    make, figures, grid, declares_test, whole
):
    example = make(grid, {"a": figures(0.2), "b": figures(0.9, seen=0.926)}, declares_test=declares_test)
    sentence = f"On 800 randomly held-out images of {whole}, whose cells may also have trained, it reaches 92.60%."
    assert sentence in example.opening
    assert "saw in training" not in example.markdown
    assert f"; seen: a random part of {whole}, held out" in example.markdown


def test_headline_names_every_row_of_a_tie(make, figures, grid):
    assert "**90.00% by a and b** (a tie)" in make(grid, {"a": figures(0.9), "b": figures(0.9)}).opening


def test_seen_cells_stand_beside_new_ones(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9, seen=0.99)}, sources=KNOWN)
    assert "On 800 held-out images of cells that it saw in training, it reaches 99.00%." in example.opening
    assert "| seen | 800 | 240 | 0.1000 | 0.9900 |" in example.markdown


def test_no_row_is_the_best_of_rows_with_different_test_images(make, figures):
    rows = {"a": {}, "b": {"dense_units": 16}, "p": {"split": "pooled"}}
    grid = GridConfig(name="g", experiments=rows)
    example = make(grid, {"a": figures(0.8), "b": figures(0.83), "p": figures(0.97)}, sources=KNOWN)
    assert (
        "Rows are tested on different images, so none of them is called the best. "
        "With split source: highest 83.00% (b), on 2,500 test images of 71 source cells. "
        "With split pooled: 97.00% (p), on 2,500 test images of 71 source cells." in example.opening
    )
    assert "est test accuracy" not in example.markdown
    assert "No accuracy is bold, as the rows were tested on different images." in example.markdown
    assert "![Accuracy against learning time" in example.markdown


def test_rows_that_differ_in_the_seed_only_are_runs_of_one_setting(make, figures):
    grid = GridConfig(name="g", axes={"seed": [0, 1, 2]})
    outcomes = {row.name: figures(value) for row, value in zip(grid.rows, (0.8, 0.95, 0.8), strict=True)}
    example = make(grid, outcomes, sources=KNOWN)
    assert (
        "Mean test accuracy: **85.00%** over 3 runs of one setting (InceptionV3 - F - D(8), learning rate 1e-5), "
        "from 80.00% to 95.00%." in example.opening
    )
    assert "lowest 80.00%, highest 95.00%, mean 85.00%." in example.markdown
    assert "Agresti" not in example.markdown
    assert "**3 runs per setting**: Seeds 0, 1 and 2." in example.opening
    assert "ne run per setting" not in example.markdown
    assert "picked" not in example.markdown


def test_a_best_row_that_was_run_several_times_stands_beside_its_other_runs(make, figures):
    grid = GridConfig(name="g", axes={"dense_units": [8, 16], "seed": [0, 1]})
    outcomes = {row.name: figures(value) for row, value in zip(grid.rows, (0.5, 0.6, 0.9, 0.8), strict=True)}
    text = make(grid, outcomes, sources=KNOWN).opening
    assert "It is one of 2 runs of its setting: lowest 80.00%, highest 90.00%, mean 85.00%." in text
    assert "Each of the 2 rows of other settings can be told apart from it" in text
    assert "**2 runs per setting**" in text
