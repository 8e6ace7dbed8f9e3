import re
from dataclasses import replace

import pytest

from bloodcell.config import GridConfig

pytestmark = pytest.mark.usefixtures("undrawn")

KNOWN = {"train": 250, "validation": 55, "test": 71, "seen": 240}


def test_headline_names_the_images_and_cells_behind_the_best(make, figures, grid):
    text = make(grid, {"a": figures(0.8), "b": figures(0.9)}, sources=KNOWN).opening
    assert (
        "**90.00% by b** (InceptionV3 - F - D(16), learning rate 1e-5), on 2,500 test images of 71 source cells, "
        "one training per row (seed 0): 95% interval over cells " in text
    )
    assert "Source cells unknown" not in text


def test_headline_counts_the_rows_that_are_as_good_for_all_one_can_tell(make, figures):
    grid = GridConfig(name="g", experiments={f"h{number}": {"hidden_layers": number} for number in range(4)})
    outcomes = dict(zip(("h0", "h1", "h2", "h3"), map(figures, (0.92, 0.9, 0.88, 0.5)), strict=True))
    text = make(grid, outcomes, sources=KNOWN).opening
    assert (
        "2 of the other 3 rows are tied with it. "
        "It was picked on these same test images: expect less on new ones." in text
    )


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((0.9,), "The other row is tied with it."),
        ((0.2,), "The other row is worse in these trainings."),
        ((0.9, 0.9), "All other 2 rows are tied with it."),
        ((0.2, 0.3), "Each of the other 2 rows is worse in these trainings."),
    ],
)
def test_headline_counts_in_plain_words(make, figures, others, words):
    grid = GridConfig(name="g", experiments={f"h{n}": {"hidden_layers": n} for n in range(len(others) + 1)})
    outcomes = {row.name: figures(value) for row, value in zip(grid.rows, (0.92, *others), strict=True)}
    assert words in make(grid, outcomes, sources=KNOWN).opening


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ((0.2, "out of memory"), "The other ranked row is worse."),
        ((0.9, 0.9, "out of memory"), "All other 2 ranked rows are tied with it."),
        ((0.9, 0.2, "out of memory"), "1 of the other 2 ranked rows is tied with it."),
        ((0.2, 0.2, "out of memory"), "Each of the other 2 ranked rows is worse."),
        ((0.2, ["out of memory", 0.9, 0.9]), "The other ranked row is worse."),
    ],
)
def test_headline_counts_no_row_without_a_rank(make, figures, others, words):
    grid = GridConfig(name="g", seeds=3, experiments={f"h{n}": {"hidden_layers": n} for n in range(len(others) + 1)})

    def outcome(value):
        return figures(value) if isinstance(value, float) else value

    outcomes = {
        row: [outcome(one) for one in value] if isinstance(value, list) else outcome(value)
        for row, value in zip(grid.experiments, (0.92, *others), strict=True)
    }
    assert words in make(grid, outcomes, sources=KNOWN).opening


def test_one_training_of_one_row_is_said_to_be_so(make, figures):
    text = make(GridConfig(name="g", experiments={"a": {}}), {"a": figures(0.9)}, sources=KNOWN).opening
    assert "71 source cells, one training (seed 0): 95% interval over cells " in text


def test_headline_judges_nothing_whose_source_cells_are_unknown(make, figures, grid):
    text = make(grid, {"a": figures(0.2), "b": figures(0.9)}).markdown
    assert "of an unknown number of source cells, one training per row (seed 0). It was picked on these same" in text
    assert not re.search("tied|by chance|95%", text)
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
    assert f"; seen, to the right of its line: a random part of {whole}, held out" in example.markdown


def test_headline_names_every_row_of_a_tie(make, figures, grid):
    assert "**90.00% by a and b** (the same figure)" in make(grid, {"a": figures(0.9), "b": figures(0.9)}).opening


def test_an_interval_that_a_tie_shares_is_told_once(make, figures, grid):
    text = make(grid, {"a": figures(0.9), "b": figures(0.9)}, sources=KNOWN).opening
    assert text.count("95% interval over cells") == 1
    assert text.count(" and b") == 1
    assert re.search(r"95% interval over cells [0-9.]+% to [0-9.]+%, of each\.", text)


def test_seen_cells_stand_beside_new_ones(make, figures, grid):
    example = make(grid, {"a": figures(0.8), "b": figures(0.9, seen=0.99)}, sources=KNOWN)
    sentence = "On 800 held-out images of 240 cells that it saw in training, it reaches 99.00% (95% interval "
    assert re.search(re.escape(sentence) + r"\S+% to \S+%\)\.", example.opening)
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


def test_a_row_trained_several_times_is_the_mean_of_its_trainings(make, figures, grid):
    thrice = grid.model_copy(update={"seeds": 3})
    outcomes = {"a": figures(0.3), "b": [figures(0.8), figures(0.95), figures(0.8)]}
    text = make(thrice, outcomes, sources=KNOWN).markdown
    assert (
        "counts, where each image and each cell counts once a training, so that 4 cells in 3 trainings are 12" in text
    )
    assert (
        "counts, where each image counts once a training, so that 4 images in 3 trainings are 12, and"
        in make(thrice, outcomes).markdown
    )
    assert "Best mean test accuracy: **85.00% by b**" in text
    assert "2,500 test images of 71 source cells, the mean of 3 trainings: 95% interval over cells and seeds" in text
    assert "The other row is worse." in text
    assert "Figures are means over the trainings with seeds 0 to 2. Intervals are over source cells and seeds." in text
    assert "Test accuracy over 3 trainings: lowest 80.00%, highest 95.00%, standard deviation 8.66 points." in text


def test_the_title_tells_a_split_and_a_night_from_the_plain_grid(make, figures, grid):
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    plain = make(grid, outcomes)
    assert plain.opening.startswith("# Grid g: InceptionV3 on blood-cells\n")
    assert f"This is run {plain.run.run_id}.\n" in plain.opening
    pooled = make(grid.with_overrides({"split": "pooled"}), outcomes)
    assert pooled.opening.startswith("# Grid g: InceptionV3 on blood-cells, split pooled\n")
    night = replace(plain, run=plain.run.model_copy(update={"nightly": "compare"}))
    assert night.opening.startswith("# Grid g, night of 2025-03-01: InceptionV3 on blood-cells\n")
    assert "It is a night: its new trainings are compared with those of the nights before." in night.opening
    anew = replace(plain, run=plain.run.model_copy(update={"nightly": "restart"}))
    assert "It is a night that starts anew: no night before it counts." in anew.opening
    assert "forced" not in plain.opening
    forced = replace(plain, run=plain.run.model_copy(update={"forced": True}))
    assert f"run {plain.run.run_id}. It was forced: it trained anew what had a result.\n" in forced.opening


def test_settings_that_are_not_the_default_stand_beneath_the_headline(make, figures, grid):
    outcomes = {"a": figures(0.8), "b": figures(0.9)}
    other = grid.with_overrides({"image_size": 128, "batch_size": 16}).model_copy(update={"seeds": 3})
    assert (
        "Each row is trained 3 times, with seeds 0 to 2. Set otherwise than by default, in all rows: image size 128 "
        "and batch size 16." in make(other, outcomes).opening
    )
    varied = make(GridConfig(name="g", experiments={"a": {}, "b": {"batch_size": 16}}), outcomes)
    assert "otherwise than by default" not in varied.opening
