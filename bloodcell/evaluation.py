"""From probabilities to metrics. Knows nothing of TensorFlow."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from bloodcell.artifacts import SPLITS, ClassMetrics, SplitMetrics


def probability_column(label: str) -> str:
    """Name of the column of predictions.parquet that holds the probability of a class."""
    return f"p_{label}"


def predictions_table(
    manifest: pd.DataFrame, split: pd.Series, probabilities: npt.NDArray[np.float32], labels: Sequence[str]
) -> pd.DataFrame:
    """One row an image: where it is from, its split and label, the class called, and every probability.

    Args:
        manifest: The images that were scored.
        split: The split of each.
        probabilities: Shape (images, classes), rows summing to one.
        labels: Classes in the order of the columns of `probabilities`.

    Returns:
        Columns path, sha256, source, split, label, predicted, and p_<label> a class.
    """
    table = manifest[["path", "sha256", "source", "label"]].assign(split=split).reset_index(drop=True)
    table["predicted"] = np.asarray(labels)[probabilities.argmax(axis=1)]
    for number, label in enumerate(labels):
        table[probability_column(label)] = probabilities[:, number]
    return table


def score(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, SplitMetrics]:
    """Metrics of every split that has images, from the table of `predictions_table`."""
    present = [split for split in SPLITS if (predictions["split"] == split).any()]
    return {split: _score_split(predictions[predictions["split"] == split], labels) for split in present}


def _score_split(images: pd.DataFrame, labels: Sequence[str]) -> SplitMetrics:
    true, called = (pd.Index(labels).get_indexer(pd.Index(images[column])) for column in ("label", "predicted"))
    probabilities = images[[probability_column(label) for label in labels]].to_numpy(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32 rows sum to one only within 1e-7
    of_truth = probabilities[np.arange(len(images)), true]
    # As sklearn.metrics has them, to which a test compares them; docs/adr/0016 says why it is not imported here.
    confusion = np.bincount(true * len(labels) + called, minlength=len(labels) ** 2).reshape(len(labels), -1)
    hits, counts, calls = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = hits / np.maximum(calls, 1), hits / np.maximum(counts, 1)
    f1 = 2 * hits / np.maximum(counts + calls, 1)
    present = counts > 0  # a small split may lack a class, whose recall is undefined
    classes = tuple(
        ClassMetrics(label=label, images=int(counts[i]), precision=precision[i], recall=recall[i], f1=f1[i])
        for i, label in enumerate(labels)
    )
    return SplitMetrics(
        images=len(images),
        sources=images["source"].nunique(),
        loss=float(-np.log(of_truth.clip(np.finfo(np.float64).eps)).mean()),
        accuracy=float(np.trace(confusion) / len(images)),
        balanced_accuracy=float(np.mean(recall[present])),
        macro_f1=float(np.mean(f1[present])),
        classes=classes,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )
