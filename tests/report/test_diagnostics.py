import csv
import hashlib
import io
import re
from dataclasses import replace

import pytest

from bloodcell import artifacts
from bloodcell.errors import CorruptObjectError
from bloodcell.report.calibration import Calibration
from bloodcell.report.diagnostics import ERRORS, GRADCAM, Diagnostics, read_diagnostics
from tests.report.test_calibration import table

pytestmark = pytest.mark.usefixtures("undrawn")

CALIBRATION = Calibration.of(table([0.9] * 10, [True] * 8 + [False] * 2), ("a", "b"))


@pytest.fixture
def example(make, figures, grid):
    return make(grid, {"a": figures(0.8), "b": figures(0.9)}, synthetic=True)


def with_diagnostics(example, **diagnostics):
    first, second = example.results
    return replace(example, diagnostics={first: Diagnostics(**diagnostics), second: Diagnostics()})


def test_pictures_of_the_experiment_are_copied_and_shown(example):
    files = (
        shown := with_diagnostics(example, read_errors=lambda: b"e", read_gradcam=lambda: b"g", calibration=CALIBRATION)
    ).files
    assert (files["plots/a-errors.jpg"], files["plots/a-gradcam.jpg"]) == (b"e", b"g")
    assert "plots/b-errors.jpg" not in files
    linked = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", shown.markdown)
    assert sorted(linked) == sorted(name for name in files if name.startswith("plots/"))
    captions = [line for line in shown.markdown.splitlines() if re.match(r"\*[^*]", line)]
    assert all(caption.endswith(". Synthetic images.*") for caption in captions)
    assert "data:image/jpeg;base64,ZQ==" in files["report.html"].decode()


def test_the_calibration_error_is_in_the_rows_section_and_in_the_csv(example):
    files = (shown := with_diagnostics(example, calibration=CALIBRATION)).files
    section = shown.markdown.split("\n### a\n")[1].split("\n### b\n")[0]
    assert "Expected calibration error **10.00%**; on average probabilities are 10.00 points above the acc" in section
    first, second = csv.DictReader(io.StringIO(files["results.csv"].decode()))
    assert float(first["test_calibration_error"]) == pytest.approx(0.1)
    assert second["test_calibration_error"] == ""
    assert shown.markdown.count("Images of one cell are not independent, so a bin rests on") == 1


def test_results_of_older_code_are_reported_and_what_they_lack_is_said(example):
    section = example.markdown.split("\n### a\n")[1].split("\n### b\n")[0]
    assert "There is no picture of its errors: the experiment ran before one was drawn." in section
    assert "There is no Grad-CAM picture: the experiment ran before one was drawn, or its log says why" in section
    assert "calibration" not in example.markdown


def test_a_row_without_an_error_says_so(make, figures, grid):
    text = make(grid, {"a": figures(1.0), "b": figures(0.9)}).markdown
    assert text.count("No test image is called wrong.") == 1


def test_pictures_of_one_of_several_trainings_name_its_seed(make, figures, grid):
    twice = make(grid.model_copy(update={"seeds": 2}), dict.fromkeys("ab", figures(0.8)))
    drawn = next(key for key, result in twice.results.items() if result.spec.config.seed == 1)
    text = replace(
        twice, diagnostics={drawn: Diagnostics(read_errors=lambda: b"e", read_gradcam=lambda: b"g", seed=1)}
    ).markdown
    assert "*a, seed 1: the test images that it gets wrong with the highest probability" in text
    assert "*a, seed 1: test images of each class, and beside each" in text
    flawless = replace(twice, diagnostics={drawn: Diagnostics(read_gradcam=lambda: b"g", seed=1)}).markdown
    assert "No test image is called wrong by the training with seed 1, whose pictures these are." in flawless


@pytest.fixture
def result(store, example):
    """A result whose pictures are in the store."""
    files = {ERRORS: b"e", GRADCAM: b"g"}
    (result, _) = example.results.values()
    for file, data in files.items():
        store.write(artifacts.experiment(result.key, file), data)
    return result.model_copy(update={"files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}})


def test_pictures_that_the_result_names_are_read_and_the_test_images_are_calibrated(store, result):
    predictions = table([0.4, 0.4, 0.9], [True, False, True]).assign(split=["test", "test", "train"])
    found = read_diagnostics(store, result.model_copy(update={"labels": ("a",)}), predictions, pictures=True)
    assert (found.read_errors(), found.read_gradcam(), found.seed) == (b"e", b"g", 0)
    assert found.calibration.images.sum() == 2
    assert found.calibration.error == pytest.approx(0.1)


def test_what_it_does_not_name_is_not_there(store, result):
    without = {file: digest for file, digest in result.files.items() if file != ERRORS}
    assert (
        read_diagnostics(store, result.model_copy(update={"files": without}), None, pictures=True).read_errors is None
    )
    assert read_diagnostics(store, result.model_copy(update={"files": {}}), None, pictures=True) == Diagnostics()
    assert read_diagnostics(store, result, None, pictures=False) == Diagnostics()


def test_a_picture_that_is_not_the_results_is_refused(store, result):
    store.write(artifacts.experiment(result.key, GRADCAM), b"another's")
    found = read_diagnostics(store, result, None, pictures=True)
    with pytest.raises(CorruptObjectError, match=r"gradcam\.jpg .* does not have the SHA-256"):
        found.read_gradcam()
