import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bloodcell.data.white_cells import draw_photograph
from bloodcell.report.gallery import MOST, PER_CELL, gallery, worst_errors
from tests.report.pictures import is_whole, shows, texts

LABELS = ("EOSINOPHIL", "NEUTROPHIL")


def table(*images: tuple[str, str, str, float]) -> pd.DataFrame:
    """Images of (source, label, class called, its probability), numbered from 100."""
    lines = [
        {
            "path": f"TEST/{label}/_{number}_{number}.jpeg", "sha256": f"{number:064}", "source": source,
            "label": label, "predicted": called,
            **{f"p_{name}": probability if name == called else 1 - probability for name in LABELS},
        }
        for number, (source, label, called, probability) in enumerate(images)
    ]  # fmt: skip
    return pd.DataFrame(lines).set_index(pd.RangeIndex(100, 100 + len(lines)))


def test_the_errors_of_the_highest_probability_come_first():
    images = table(
        ("a", "EOSINOPHIL", "NEUTROPHIL", 0.6), ("b", "NEUTROPHIL", "EOSINOPHIL", 0.9),
        ("c", "EOSINOPHIL", "EOSINOPHIL", 0.99), ("d", "NEUTROPHIL", "EOSINOPHIL", 0.7),
    )  # fmt: skip
    errors = worst_errors(images, LABELS)
    assert errors.index.tolist() == [101, 103, 100]
    assert errors["probability"].tolist() == [0.9, 0.7, 0.6]


def test_one_cell_does_not_fill_the_gallery():
    one = [("a", "EOSINOPHIL", "NEUTROPHIL", 0.99 - number / 1000) for number in range(30)]
    others = [(f"b{number}", "EOSINOPHIL", "NEUTROPHIL", 0.6) for number in range(30)]
    errors = worst_errors(table(*one, *others), LABELS)
    assert len(errors) == MOST
    assert errors["source"].tolist()[: PER_CELL + 1] == ["a", "a", "b0"]
    assert errors["source"].value_counts().max() == PER_CELL


def test_equal_probabilities_are_ordered_by_hash_and_not_by_place():
    images = table(*[(str(number), "EOSINOPHIL", "NEUTROPHIL", 1.0) for number in range(20)])
    shuffled = images.sample(frac=1, random_state=0)
    assert worst_errors(shuffled, LABELS).index.tolist() == worst_errors(images, LABELS).index.tolist()


def test_without_an_error_there_is_none():
    assert worst_errors(table(("a", "EOSINOPHIL", "EOSINOPHIL", 0.9)), LABELS).empty


@pytest.mark.parametrize("count", [1, 4, 7, 12])
def test_each_error_is_shown_with_what_it_is_and_what_it_is_called(count, drawn):
    errors = worst_errors(
        table(*[(str(number), "EOSINOPHIL", "NEUTROPHIL", 0.9999 - number / 100) for number in range(count)]), LABELS
    )
    colours = [(20 * number, 255 - 20 * number, 90) for number in range(count)]
    picture = gallery(errors, np.array([np.full((32, 32, 3), colour, np.uint8) for colour in colours]), "t")
    assert all(shows(picture, bytes(colour).hex()) for colour in colours)
    (figure,) = drawn
    written = texts(figure)
    assert "EOSINOPHIL\ncalled NEUTROPHIL\n99.99%" in written
    assert sum(text.startswith("EOSINOPHIL\ncalled") for text in written) == count
    assert "_0_0.jpeg" in written
    assert is_whole(figure)


def test_free_text_is_not_read_as_mathematics_and_a_long_name_keeps_its_end(drawn):
    errors = worst_errors(table(("a", "EOSINOPHIL", "NEUTROPHIL", 0.9)), LABELS)
    errors = errors.assign(label="$\\frac{$", predicted="W" * 60, path=f"TEST/x/{'y' * 50}-end.jpeg")
    assert gallery(errors, np.zeros((1, 8, 8, 3), np.uint8), "$\\frac{$").startswith(b"\xff\xd8")
    assert f"…{'y' * 14}-end.jpeg" in texts(drawn[0])
    assert is_whole(drawn[0])


def test_photographs_make_a_small_jpeg():
    rng = np.random.default_rng(0)
    cells = np.array([np.asarray(draw_photograph("NEUTROPHIL", rng).resize((128, 128))) for _ in range(MOST)])
    errors = table(*[(str(number), "EOSINOPHIL", "NEUTROPHIL", 0.9) for number in range(MOST)])
    picture = gallery(worst_errors(errors, LABELS), cells, "t")
    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.width) == ("JPEG", 640)
    assert len(picture) < 80_000
