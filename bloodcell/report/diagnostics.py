"""What a run shows of itself besides its figures: how far its probabilities hold, and what its experiment drew."""

from dataclasses import dataclass

from bloodcell import artifacts
from bloodcell.artifacts import ExperimentResult
from bloodcell.report.calibration import Calibration
from bloodcell.store import Store

ERRORS, GRADCAM = "plots/errors.jpg", "plots/gradcam.jpg"
"""Artifacts of an experiment; where no image is called wrong, and in a result of older code, there may be none."""


@dataclass(frozen=True)
class Diagnostics:
    """Of one run; None is what it does not have.

    Attributes:
        calibration: Of the test images.
        errors: The test images called wrong with the highest probability, JPEG.
        gradcam: Test images of each class and where the network looks in them, JPEG.
    """

    calibration: Calibration | None = None
    errors: bytes | None = None
    gradcam: bytes | None = None


def read_diagnostics(store: Store, result: ExperimentResult) -> Diagnostics:
    """Read what a run shows of itself.

    Raises:
        ObjectNotFoundError: An artifact that the result names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    pictures = [
        artifacts.read_file(store, result, file) if file in result.files else None for file in (ERRORS, GRADCAM)
    ]
    return Diagnostics(_calibration(store, result), *pictures)


def _calibration(store: Store, result: ExperimentResult) -> Calibration | None:
    if "predictions.parquet" not in result.files:
        return None
    predictions = artifacts.read_predictions(store, result)
    return Calibration.of(predictions[predictions["split"] == "test"], result.labels)
