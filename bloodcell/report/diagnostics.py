"""What a run shows of itself besides its figures: how far its probabilities hold, and what its experiment drew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

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
        read_errors: Reads the test images called wrong with the highest probability, JPEG. It raises
            ObjectNotFoundError where they are gone, and CorruptObjectError where they are not what the result records.
        read_gradcam: The same of test images of each class and where the network looks in them.
        seed: Of the training that drew the pictures.
    """

    calibration: Calibration | None = None
    read_errors: Callable[[], bytes] | None = None
    read_gradcam: Callable[[], bytes] | None = None
    seed: int | None = None


def of_several(runs: Sequence[Diagnostics]) -> Diagnostics:
    """What the trainings of a row show: the calibration of all, and the pictures of the first that has any."""
    calibrations = [run.calibration for run in runs if run.calibration]
    pooled = Calibration.pooled(calibrations) if calibrations else None
    drawn = next((run for run in runs if run.read_errors or run.read_gradcam), Diagnostics())
    return replace(drawn, calibration=pooled)


def read_diagnostics(
    store: Store, result: ExperimentResult, predictions: pd.DataFrame | None, *, pictures: bool
) -> Diagnostics:
    """Bring together what a run shows of itself.

    Args:
        store: Where its pictures are.
        result: The run's result.
        predictions: As in its predictions.parquet, where it has one.
        pictures: Whether those that it has are shown.
    """
    errors, gradcam = (
        partial(artifacts.read_file, store, result, file) if pictures and file in result.files else None
        for file in (ERRORS, GRADCAM)
    )
    calibration = None
    if predictions is not None:
        calibration = Calibration.of(predictions[predictions["split"] == "test"], result.labels)
    return Diagnostics(calibration, errors, gradcam, result.spec.config.seed if errors or gradcam else None)
