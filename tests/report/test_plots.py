import io
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bloodcell.artifacts import EpochRecord
from bloodcell.config import ExperimentConfig
from bloodcell.report import plots
from tests.report.pictures import is_whole, shows, texts

TRAIN, VALIDATION, TEST, SEEN = "0072B2", "E69F00", "009E73", "CC79A7"


@pytest.fixture(scope="module")
def epochs():
    return [
        EpochRecord(epoch=n, loss=1 / n, accuracy=1 - 0.5 / n, val_loss=1.2 / n, val_accuracy=1 - 0.6 / n, seconds=1)
        for n in range(1, 11)
    ]


def test_pictures_are_small_pngs_of_a_readable_width(study):
    for name, data in study.files.items():
        if name.endswith(".png"):
            with Image.open(io.BytesIO(data)) as image:
                assert image.format == "PNG"
                assert 600 <= image.width <= 1000
            assert len(data) < 60_000


def test_series_keep_their_colours_through_the_palette(epochs, study):
    curves = plots.curves([epochs], "t")
    assert [shows(curves, code) for code in (TRAIN, VALIDATION, TEST)] == [True, True, False]
    comparison = study.files["plots/comparison.png"]
    assert [shows(comparison, code) for code in (TRAIN, VALIDATION, TEST, SEEN)] == [True, True, True, False]


def test_one_epoch_is_drawn(epochs):
    assert shows(plots.curves([epochs[:1]], "t"), TRAIN)


def test_there_is_room_around_each_point_where_there_is_but_one(epochs, drawn):
    only = epochs[0].model_copy(update={"loss": 1.387, "val_loss": 1.392})
    plots.curves([[only]], "t")
    for axes in drawn[0].axes:
        low, high = axes.get_ylim()
        for line in axes.lines:
            assert all(low + 0.04 * (high - low) < y < high - 0.04 * (high - low) for y in line.get_ydata())


def test_free_text_is_not_read_as_mathematics(epochs, drawn):
    """`$\\frac{$` is an error where mathematics is read, and `$a$` loses its signs."""
    plots.curves([epochs], "$a$ $\\frac{$")
    assert drawn[0].get_suptitle() == "$a$ $\\frac{$"


DEEP = ExperimentConfig(hidden_layers=16, dense_units=65536).architecture
LONG = "W" * 63


@pytest.mark.parametrize(
    "title",
    [
        "den-3\nMobileNet(0.25) - F - D(16) - D(16) - D(16), learning rate 0.05 (synthetic images)",
        f"{DEEP} (synthetic images)",
        f"{LONG}\n{DEEP}, learning rate 1.5e-05 (synthetic images)",
        f"{LONG}: test images (synthetic images)",
    ],
)
def test_titles_stay_within_the_picture_whole(title, epochs, drawn):
    plots.curves([epochs], title)
    for figure in drawn:
        assert is_whole(figure)
        assert re.sub(r"\s", "", figure.get_suptitle()) == re.sub(r"\s", "", title)
        assert all(axes.get_window_extent().height > 100 for axes in figure.axes)


def test_a_title_breaks_at_words_and_keeps_the_synthetic_mark_in_one_piece(epochs, drawn):
    plots.curves([epochs], "a\nMobileNet(0.25) - F - D(16) - D(16) - D(16), learning rate 0.05 (synthetic images)")
    plots.curves([epochs], "a: short (synthetic images)")
    long, short = (figure.get_suptitle().split("\n") for figure in drawn)
    assert long[0] == "a"
    assert long[-1].endswith("(synthetic images)")
    assert not any(line.startswith("- ") for line in long)
    assert short == ["a: short (synthetic images)"]


def point(seconds: float) -> plots.Point:
    return plots.Point(seconds, {"train": 0.9, "test": 0.8}, {"test": (0.6, 0.9)})


def test_several_trainings_are_thin_lines_and_their_mean(epochs):
    assert shows(plots.curves([epochs, epochs[:-1]], "t"), TRAIN)


def test_the_legend_tells_one_training_from_the_mean_where_there_are_several(epochs, drawn):
    plots.curves([epochs, epochs], "t")
    plots.curves([epochs], "t")
    several, one = ([text.get_text() for text in figure.legends[0].get_texts()] for figure in drawn)
    assert several == ["train", "validation", "one training (thick: their mean)"]
    assert one == ["train", "validation"]


def test_names_above_the_comparison_stay_within_it(study, drawn):
    results = list(study.results.values())
    points = [point(result.learning_seconds) for result in results]
    plots.comparison({f"{number}{LONG[1:]}": row for number, row in enumerate(points)}, f"{LONG} {LONG}")
    plots.comparison({f"{number}{LONG[:15]}": row for number, row in enumerate(points)}, "t")
    assert all(map(is_whole, drawn))
    assert all(figure.axes[0].get_window_extent().height > 150 for figure in drawn)


def test_times_that_hardly_differ_are_not_drawn_far_apart(drawn):
    plots.comparison({"a": point(60), "b": point(60.007)}, "t")
    low, high = drawn[0].axes[0].get_xlim()
    assert high - low > 0.2 * 60
    plots.comparison({"a": point(0.5), "b": point(60)}, "t")
    low, high = drawn[1].axes[0].get_xlim()
    assert 0 <= low < 0.5
    assert 60 < high < 65


def test_many_rows_are_drawn_without_their_names(drawn):
    for named in (True, False):
        plots.comparison({f"row-{index}": point(60 + index) for index in range(40)}, "t", named=named)
    few, many = (texts(figure) for figure in drawn)
    assert "row-0" in few
    assert not [text for text in many if text.startswith("row-")]


def test_bars_of_intervals_are_in_the_legend_where_there_are_any(drawn):
    plots.comparison({"a": point(60)}, "t")
    plots.comparison({"a": plots.Point(60, {"test": 0.8}, {})}, "t")
    with_bars, without = ([text.get_text() for text in figure.legends[0].get_texts()] for figure in drawn)
    assert with_bars == ["train", "test", "test: 95% interval"]
    assert without == ["test"]


def test_the_interval_of_seen_cells_stands_beside_that_of_the_test_where_lines_are_few(drawn):
    intervals = {"test": (0.6, 0.9), "seen": (0.65, 0.85)}
    for count in (2, 41):
        rows = {f"r{n}": plots.Point(60 + n, {"test": 0.8, "seen": 0.8}, intervals) for n in range(count)}
        plots.comparison(rows, "t", named=count == 2)
    offsets = []
    for figure in drawn:
        (axes,) = figure.axes
        places = []
        for bars in axes.collections:
            ((x, low), (_, high)) = bars.get_transform().transform(bars.get_segments()[0])
            assert low < high
            places.append(x)
        offsets.append((places[1] - places[0]) * 72 / figure.dpi)
        lowest, highest = axes.get_ylim()
        assert lowest <= 0.6
        assert highest >= 0.9
    assert offsets == pytest.approx([6, 0])


def test_threads_draw_the_same_pictures(epochs):
    titles = [f"title {number}" for number in range(4)]
    alone = [plots.curves([epochs], title) for title in titles]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda title: plots.curves([epochs], title), titles)) == alone


def test_rows_with_long_names_and_equal_times_are_drawn():
    many = {f"hidden_layers-{number}_learning_rate-0.0001_backbone-InceptionV3": point(60) for number in range(20)}
    assert plots.comparison(many, "t").startswith(b"\x89PNG")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40).map(sorted), st.floats(0.001, 0.2))
def test_spread_keeps_order_range_and_distance(places, distance):
    moved = plots.spread(places, distance)
    least = min(distance, 1 / max(len(places) - 1, 1))
    assert all(after - before >= least - 1e-9 for before, after in pairwise(moved))
    assert all(-1e-9 <= place <= 1 for place in moved)


def test_spread_leaves_alone_what_stands_apart():
    assert plots.spread([0.1, 0.5, 0.9], 0.05) == [0.1, 0.5, 0.9]
