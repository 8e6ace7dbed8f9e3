"""The expected calibration error of predictions whose calibration is known, because they are drawn so."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from bloodcell.report.calibration import BINS, Calibration, calibration_text
from bloodcell.report.reliability import reliability_diagram
from tests.report.pictures import is_whole, texts

LABELS = ("a", "b")


def table(confidence, right) -> pd.DataFrame:
    """Images that are called `a` with a probability, and are so where `right`."""
    confidence = np.asarray(confidence, float)
    labels = np.where(right, "a", "b")
    return pd.DataFrame({"label": labels, "predicted": "a", "p_a": confidence, "p_b": 1 - confidence})


def draw(rng, images: int, excess: float = 0.0) -> pd.DataFrame:
    """Images that are as often right as their probability says, less `excess`."""
    confidence = rng.uniform(0.6, 0.99, images)
    return table(confidence, rng.random(images) < confidence - excess)


def test_calibrated_predictions_have_nearly_no_error():
    assert Calibration.of(draw(np.random.default_rng(0), 400_000), LABELS).error < 0.004


@pytest.mark.parametrize("excess", [0.1, 0.25, -0.005])
def test_the_error_is_what_the_probabilities_claim_too_much_or_too_little(excess):
    found = Calibration.of(draw(np.random.default_rng(1), 400_000, excess), LABELS)
    assert found.error == pytest.approx(abs(excess), abs=0.004)
    assert found.overconfidence == pytest.approx(excess, abs=0.002)


def test_too_much_and_too_little_do_not_cancel_in_the_error_as_they_do_in_the_mean():
    found = Calibration.of(
        table([0.9] * 100 + [0.7] * 100, [True] * 80 + [False] * 20 + [True] * 80 + [False] * 20), LABELS
    )
    assert found.error == pytest.approx(0.1)
    assert found.overconfidence == pytest.approx(0)


def test_by_chance_alone_few_calibrated_images_have_an_error():
    rng = np.random.default_rng(2)
    errors = [Calibration.of(draw(rng, 100), LABELS).error for _ in range(50)]
    assert 0.04 < np.mean(errors) < 0.12


def test_bins_are_those_of_scikit_learn():
    images = draw(np.random.default_rng(3), 1000, 0.1)
    accuracy, confidence = calibration_curve(images["label"] == "a", images["p_a"], n_bins=BINS)
    found = Calibration.of(images, LABELS)
    filled = found.images > 0
    assert found.images.sum() == 1000
    np.testing.assert_allclose(found.right[filled] / found.images[filled], accuracy)
    np.testing.assert_allclose(found.confidence[filled] / found.images[filled], confidence)


def test_a_bin_holds_its_upper_end_and_not_its_lower():
    found = Calibration.of(table([9 / 15, 9 / 15 + 1e-9, 1.0], [True, True, True]), LABELS)
    assert found.images.tolist() == [0] * 8 + [1, 1] + [0] * 4 + [1]


def test_the_probability_is_that_of_the_class_called():
    images = pd.DataFrame({"label": ["a", "b"], "predicted": ["b", "b"], "p_a": [0.2, 0.4], "p_b": [0.8, 0.6]})
    found = Calibration.of(images, LABELS)
    assert (found.confidence.sum(), found.right.sum()) == (pytest.approx(1.4), 1)


def test_runs_are_pooled_image_by_image_and_their_errors_are_not():
    rng = np.random.default_rng(4)
    runs = [draw(rng, images, excess) for images, excess in ((100, 0.0), (300, 0.2), (50, -0.005))]
    pooled = Calibration.pooled(Calibration.of(run, LABELS) for run in runs)
    whole = Calibration.of(pd.concat(runs), LABELS)
    assert pooled.error == pytest.approx(np.mean([Calibration.of(run, LABELS).error for run in runs]))
    assert pooled.images.tolist() == whole.images.tolist()
    one = Calibration.of(runs[0], LABELS)
    assert Calibration.pooled([one]).error == one.error


@pytest.mark.parametrize(
    ("right", "text"),
    [
        (6, "probabilities are 20.00 points above the accuracy"),
        (9, "probabilities are 10.00 points below the accuracy"),
    ],
)
def test_the_text_names_the_direction(right, text):
    assert calibration_text(Calibration.of(table([0.8] * 10, [True] * right + [False] * (10 - right)), LABELS)) == text


def test_the_diagram_has_a_point_for_each_bin_that_holds_images(drawn):
    found = Calibration.of(table([0.5, 0.75, 0.95, 0.95], [True, False, True, False]), LABELS)
    assert reliability_diagram(found, "a: test").startswith(b"\x89PNG")
    (figure,) = drawn
    accuracy = next(dots for dots in figure.axes[0].collections if dots.get_label().startswith("accuracy"))
    np.testing.assert_allclose(accuracy.get_offsets(), [[0.5, 1], [0.75, 0], [0.95, 0.5]])
    one, other, two = accuracy.get_sizes()
    assert one == other < two
    assert figure.get_suptitle() == f"a: test\nexpected calibration error {found.error:.2%}"
    assert [bar.get_height() for bar in figure.axes[1].patches if bar.get_height()] == [1, 1, 2]
    assert [text for text in texts(figure.axes[1]) if text.isdigit()] == ["1", "1", "2"]
    assert is_whole(figure)


@pytest.mark.parametrize(("probability", "named"), [(0.5, False), (0.8, True)])
def test_a_gap_that_its_point_hides_is_not_in_the_legend(drawn, probability, named):
    found = Calibration.of(table([probability] * 10, [True] * 5 + [False] * 5), LABELS)
    reliability_diagram(found, "t")
    assert ("gap" in [text.get_text() for text in drawn[0].legends[0].get_texts()]) == named
