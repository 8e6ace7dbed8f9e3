import io

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bloodcell.evaluation import predictions_table
from bloodcell.events import Step, parse
from bloodcell.explanations import explanations
from bloodcell.model import build_model
from bloodcell.report.diagnostics import ERRORS, GRADCAM

LABELS = ["EOSINOPHIL", "MONOCYTE"]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)


def predictions(wrong: int) -> pd.DataFrame:
    """Of images 5 to 19, of which those from 10 on are the test; the first of these are called wrong."""
    numbers = range(5, 20)
    manifest = pd.DataFrame(
        {
            "path": [f"{number}.jpeg" for number in numbers], "sha256": [f"{number:064}" for number in numbers],
            "source": [str(number) for number in numbers], "label": [LABELS[number % 2] for number in numbers],
        }
    )  # fmt: skip
    called = [(number + (number < 10 + wrong)) % 2 for number in numbers]
    split = pd.Series(["test" if number >= 10 else "train" for number in numbers])
    table = predictions_table(manifest, split, np.eye(2, dtype=np.float32)[called] * 0.8 + 0.1, LABELS)
    return table.set_index(np.array(numbers))


def test_the_pictures_are_of_the_test_images_and_the_same_each_time(small, images):
    keras.utils.set_random_seed(0)
    model, table = build_model(small, 2), predictions(wrong=3)
    pictures = explanations(model, images, table, LABELS, "t")
    assert set(pictures) == {ERRORS, GRADCAM}
    for picture in pictures.values():
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "JPEG"
    assert explanations(model, images, table, LABELS, "t") == pictures
    others = images.copy()
    others[:10] = 0  # those that are no test images, one of them called wrong
    assert explanations(model, others, table, LABELS, "t") == pictures


def test_without_errors_there_is_no_picture_of_them(small, images):
    assert set(explanations(build_model(small, 2), images, predictions(wrong=0), LABELS, "t")) == {GRADCAM}


def test_a_network_of_which_there_is_no_map_costs_its_picture_alone(images, capsys):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    assert set(explanations(model, images, predictions(wrong=3), LABELS, "t")) == {ERRORS}
    (event,) = filter(None, map(parse, capsys.readouterr().out.splitlines()))
    assert isinstance(event, Step)
    assert event.message.startswith("not all pictures could be drawn: ")
