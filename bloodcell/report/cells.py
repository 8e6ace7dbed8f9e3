"""What an experiment made of every source cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class CellCounts:
    """What one run made of every source cell of a split.

    Attributes:
        sources: Names of the cells.
        confusion: Shape (cells, classes, classes): images of a cell of class i called class j.
        strata: Number of each cell's class, of two the more frequent.
    """

    sources: npt.NDArray[np.object_]
    confusion: Floats
    strata: Numbers

    @classmethod
    def of(cls, images: pd.DataFrame, labels: Sequence[str]) -> "CellCounts":
        """Count the images of one split.

        Args:
            images: With the columns source, label and predicted.
            labels: Classes, in order.
        """
        classes = len(labels)
        cells, names = pd.factorize(images["source"], sort=True)
        true, called = (pd.Index(labels).get_indexer(pd.Index(images[column])) for column in ("label", "predicted"))
        fields = np.bincount((cells * classes + true) * classes + called, minlength=len(names) * classes**2)
        confusion = fields.reshape(len(names), classes, classes).astype(np.float64)
        # Of two as frequent the first, as `majority_label` has it: classes are in alphabetical order.
        strata = confusion.sum(axis=2).argmax(axis=1)
        return cls(np.asarray(names, dtype=object), confusion, strata)


def cell_counts(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, CellCounts]:
    """The counts of the splits that evaluate, by split, of an experiment's predictions.

    Args:
        predictions: As in predictions.parquet.
        labels: Classes, in order.
    """
    splits = predictions.groupby("split")
    return {
        split: CellCounts.of(splits.get_group(split), labels) for split in ("test", "seen") if split in splits.groups
    }


def by_cell(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The confusion matrix in which each source cell counts once, shared out as its images are called.

    A cell of 48 images of which 12 are wrong adds 0.75 to the diagonal and 0.25 to the columns of the wrong calls.

    Args:
        counts: Shape (cells, classes, classes): images of a cell of class i called class j, at least one a cell.

    Returns:
        Shape (classes, classes), summing to the number of cells.
    """
    shares: npt.NDArray[np.float64] = (counts / counts.sum(axis=(1, 2), keepdims=True)).sum(axis=0)
    return shares
