"""What a run shows of itself besides its figures: how far its probabilities hold, and what its experiment drew."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

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


def of_several(runs: Sequence[Diagnostics]) -> Diagnostics:
    """What the trainings of a row show: the calibration of all, and as an example the first of each picture."""
    calibrations = [run.calibration for run in runs if run.calibration]
    return Diagnostics(
        Calibration.pooled(calibrations) if calibrations else None,
        next((run.errors for run in runs if run.errors), None),
        next((run.gradcam for run in runs if run.gradcam), None),
    )


def read_diagnostics(store: Store, result: ExperimentResult, predictions: pd.DataFrame | None) -> Diagnostics:
    """Bring together what a run shows of itself.

    Args:
        store: Where its pictures are.
        result: The run's result.
        predictions: As in its predictions.parquet, where it has one.

    Raises:
        ObjectNotFoundError: A picture that the result names is gone.
        CorruptObjectError: Its bytes are not those that the result records.
    """
    errors, gradcam = (
        artifacts.read_file(store, result, file) if file in result.files else None for file in (ERRORS, GRADCAM)
    )
    if predictions is None:
        return Diagnostics(None, errors, gradcam)
    test = predictions[predictions["split"] == "test"]
    return Diagnostics(Calibration.of(test, result.labels), errors, gradcam)
