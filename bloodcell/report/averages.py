"""Several trainings of a row as one."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from bloodcell.artifacts import ClassMetrics, SplitMetrics


def mean_metrics(metrics: Sequence[SplitMetrics]) -> SplitMetrics:
    """The means of the figures of several trainings on one split, and the sums of their confusion matrices."""
    if len(metrics) == 1:
        return metrics[0]
    classes = tuple(
        ClassMetrics(
            label=runs[0].label,
            images=round(fmean(run.images for run in runs)),
            **{figure: fmean(getattr(run, figure) for run in runs) for figure in ("precision", "recall", "f1")},
        )
        for runs in zip(*(split.classes for split in metrics), strict=True)
    )
    figures = ("loss", "accuracy", "balanced_accuracy", "macro_f1")
    return SplitMetrics(
        images=round(fmean(split.images for split in metrics)),
        sources=round(fmean(split.sources for split in metrics)),
        **{figure: fmean(getattr(split, figure) for split in metrics) for figure in figures},
        classes=classes,
        confusion=tuple(map(tuple, np.sum([split.confusion for split in metrics], axis=0).tolist())),
    )
