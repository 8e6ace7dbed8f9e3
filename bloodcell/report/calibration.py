"""Whether a model's probabilities mean what they say: how often it is right where it is so sure.

Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", ICML: the images are put into 15
bins of equal width by the probability of the class they are called; the expected calibration error is the mean over
the images of how far their bin's accuracy lies from its mean probability. Chance alone keeps it above 0, the more so
the fewer images there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pandas as pd

from bloodcell.evaluation import probability_column

BINS = 15

EDGES = np.linspace(0, 1, BINS + 1)


@dataclass(frozen=True)
class Calibration:
    """Sums over the images of each bin; all of shape (BINS,).

    The first bin holds probabilities from 0 to 1/15, the others leave out their lower end.

    Attributes:
        images: Number of images.
        right: How many of them are called right.
        confidence: Sum of the probabilities of their predicted classes.
        error: The expected calibration error, a fraction; of several runs their mean.
    """

    images: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    error: float

    @classmethod
    def of(cls, images: pd.DataFrame, labels: Sequence[str]) -> "Calibration":
        """Bin the images of one split.

        Args:
            images: As in predictions.parquet.
            labels: Classes.
        """
        confidence = images[list(map(probability_column, labels))].max(axis=1).to_numpy(np.float64)
        right = np.asarray(images["label"] == images["predicted"], np.float64)
        bins = np.searchsorted(EDGES[1:-1], confidence)
        sums = (_sums(bins, np.ones_like(confidence)), _sums(bins, right), _sums(bins, confidence))
        return cls(*sums, error=float(np.abs(sums[1] - sums[2]).sum() / len(images)))

    @classmethod
    def pooled(cls, runs: Iterable["Calibration"]) -> "Calibration":
        """The images of several runs in the same bins, and the mean of their errors; at least one run.

        The error of the sums would be none where one run is as much too sure as another is not sure enough.
        """
        runs = list(runs)
        images, right, confidence = (
            np.sum([getattr(run, sums) for run in runs], axis=0) for sums in ("images", "right", "confidence")
        )
        return cls(images, right, confidence, error=fmean(run.error for run in runs))

    @property
    def overconfidence(self) -> float:
        """Mean probability of the predicted class minus accuracy, a signed fraction."""
        return float((self.confidence.sum() - self.right.sum()) / self.images.sum())


def calibration_text(calibration: Calibration) -> str:
    """How the probabilities lie to the accuracy: `probabilities are 3.10 points above the accuracy`."""
    gap = calibration.overconfidence
    return f"probabilities are {abs(gap) * 100:.2f} points {'above' if gap > 0 else 'below'} the accuracy"


def _sums(bins: npt.NDArray[np.intp], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.bincount(bins, values, BINS).astype(np.float64)
