import numpy as np
import pytest
from matplotlib.text import Text

from bloodcell.report.cells import by_cell
from bloodcell.report.confusion import matrices
from tests.report.pictures import is_whole, shows, texts

LABELS = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
SHARE_1, SHARE_HALF = "08306b", "6aaed6"  # of matplotlib's Blues
LONG = "W" * 63


def half_right(labels: int = 4) -> np.ndarray:
    return np.eye(labels, dtype=int) * 50 + np.roll(np.eye(labels, dtype=int), 1, axis=1) * 50


def test_a_cell_counts_once_shared_out_as_its_images_are_called():
    counts = np.zeros((3, 2, 2))
    counts[0, 0] = 36, 12  # a cell of 48 images of which 12 are wrong
    counts[1, 0] = 1, 0
    counts[2, 1] = 0, 7
    np.testing.assert_array_equal(by_cell(counts), [[1.75, 0.25], [0, 1]])


def test_a_cell_of_two_labels_is_one_cell():
    counts = np.array([[[3.0, 0.0], [1.0, 0.0]]])
    np.testing.assert_array_equal(by_cell(counts), [[0.75, 0], [0.25, 0]])


def test_shade_is_the_share_of_the_rows_images():
    all_right, half = matrices(np.eye(4, dtype=int) * 9, LABELS, "t"), matrices(half_right(), LABELS, "t")
    assert [shows(all_right, code) for code in (SHARE_1, SHARE_HALF)] == [True, False]
    assert [shows(half, code) for code in (SHARE_1, SHARE_HALF)] == [False, True]


def test_a_class_without_images_divides_by_no_zero():
    assert matrices(np.zeros((4, 4), int), LABELS, "t").startswith(b"\x89PNG")


@pytest.mark.parametrize("classes", [4, 9])
def test_both_matrices_stand_in_one_picture_under_their_names(classes, drawn):
    labels = [f"CLASS-{number}" for number in range(classes)]
    matrices(half_right(classes), labels, f"{LONG}: test (synthetic images)", np.eye(classes) * 1.25)
    (figure,) = drawn
    written = texts(figure)
    assert {"images", "source cells", *labels} <= set(written)
    assert sum(text.startswith("50") for text in written) == 2 * classes
    assert sum(text.startswith("1.2") for text in written) == classes
    assert is_whole(figure)


def test_parts_of_cells_have_a_tenth_everywhere_and_little_is_not_nothing(drawn):
    matrices(np.array([[9, 1], [0, 7]]), ("A", "B"), "t", np.array([[12.0, 0.04], [0.0, 1234.56]]))
    numbers = {text.partition("\n")[0] for text in texts(drawn[0])}
    assert {"9", "1", "0", "7", "12.0", "<0.1", "0.0", "1,234.6"} <= numbers


def test_where_cells_are_unknown_the_images_stand_alone(drawn):
    matrices(half_right(), LABELS, "t")
    assert len(drawn[0].axes) == 1
    assert is_whole(drawn[0])


def test_free_text_is_not_read_as_mathematics(drawn):
    """`$\\frac{$` is an error where mathematics is read, and `$a$` loses its signs."""
    matrices(half_right(2), ("$a$", "$\\frac{$"), "$\\frac{$", half_right(2) / 2)
    labelled = [text for text in drawn[0].findobj(Text) if text.get_text() == "$a$"]
    assert labelled
    assert not any(text.get_parse_math() for text in labelled)
