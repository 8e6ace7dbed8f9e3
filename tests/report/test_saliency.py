import numpy as np
import pandas as pd
import pytest

from bloodcell.report.saliency import MOST_CLASSES, examples, overlaid, saliency
from tests.report.pictures import is_whole, texts
from tests.report.test_gallery import LABELS, table

EOS, NEU = LABELS


def test_of_each_class_two_cells_called_right_and_the_worst_error():
    images = table(
        ("a", NEU, NEU, 0.9), ("a", NEU, NEU, 0.8), ("b", NEU, NEU, 0.7), ("c", NEU, NEU, 0.6),
        ("d", EOS, EOS, 0.9), ("e", EOS, NEU, 0.6), ("f", EOS, NEU, 0.8),
    )  # fmt: skip
    chosen = examples(images, LABELS)
    assert chosen.index.tolist() == [104, 106, 100, 102]
    assert chosen["probability"].tolist() == [0.9, 0.8, 0.9, 0.7]


def test_the_choice_does_not_depend_on_the_order_of_the_images():
    images = table(*[(str(number), EOS, (EOS, NEU)[number % 2], 0.9) for number in range(40)])
    assert examples(images.sample(frac=1, random_state=1), LABELS).equals(examples(images, LABELS))


def test_of_many_classes_the_first_are_shown():
    labels = [f"class-{number}" for number in range(30)]
    images = pd.DataFrame({"label": labels, "predicted": labels, "source": labels, "sha256": labels})
    images = images.assign(**{f"p_{label}": 0.5 for label in labels})
    assert examples(images, labels)["label"].tolist() == labels[:MOST_CLASSES]


def test_where_the_map_is_low_the_picture_is_left_and_where_it_is_high_it_is_yellow():
    picture = np.full((64, 64, 3), (90, 20, 120), np.uint8)
    shown = overlaid(picture, np.array([[0, 0], [0, 1]], np.float32))
    assert (shown[:16, :16] == picture[:16, :16]).all()
    red, green, blue = shown[63, 63].astype(int)
    assert min(red, green) > blue + 80
    assert shown.shape == picture.shape


@pytest.mark.parametrize("wrong", [True, False])
def test_each_image_stands_beside_its_map_in_the_line_of_its_class(wrong, drawn):
    images = table(("a", NEU, NEU, 0.9), ("b", NEU, NEU, 0.75), ("c", EOS, NEU if wrong else EOS, 0.8))
    chosen = examples(images, LABELS)
    pictures = np.stack([np.full((32, 32, 3), 10 * number, np.uint8) for number in range(3)])
    saliency(chosen, pictures, np.tile(np.float32([[0.2, 1]]), (3, 1, 1)), "t")
    (figure,) = drawn
    shown = [[bool(axes.images) for axes in figure.axes[line * 6 : line * 6 + 6]] for line in range(2)]
    assert shown == [[not wrong, not wrong, False, False, wrong, wrong], [True] * 4 + [False] * 2]
    assert {"right, 90.00%", "right, 75.00%", f"called {NEU}, 80.00%" if wrong else "right, 80.00%"} <= set(
        texts(figure)
    )
    assert [axes.get_ylabel() for axes in figure.axes[:12:6]] == [EOS, NEU]
    assert is_whole(figure)


@pytest.mark.parametrize(
    ("heat", "remark"),
    [
        ([[0.0, 0.0]], "nothing"),
        ([[1.0, 1.0]], "same everywhere"),
        ([[0.95, 1.0]], "same everywhere"),
        ([[0.5, 1.0]], ""),
    ],
)
def test_a_map_that_marks_no_place_is_left_without_colour_and_says_so(heat, remark, drawn):
    chosen = examples(table(("a", NEU, NEU, 0.9)), LABELS)
    picture = np.full((1, 32, 32, 3), 200, np.uint8)
    saliency(chosen, picture, np.array([heat], np.float32), "t")
    shown = drawn[0].axes[1]
    assert shown.get_xlabel() == remark
    assert (shown.images[0].get_array() == picture[0]).all() == bool(remark)


def test_the_colours_have_a_scale(drawn):
    chosen = examples(table(("a", NEU, NEU, 0.9)), LABELS)
    saliency(chosen, np.zeros((1, 32, 32, 3), np.uint8), np.float32([[[0, 1]]]), "t")
    scale = drawn[0].axes[-1]
    assert [text.get_text() for text in scale.get_xticklabels()] == ["nothing", "most, in this image"]
    assert scale.get_xlabel() == "speaks for the predicted class"
