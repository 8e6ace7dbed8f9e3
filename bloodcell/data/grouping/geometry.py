"""Whether two images show the same thing: their features agree on one affine map."""

import cv2
import numpy as np

from bloodcell.data.grouping.features import Features, mirrored, unit

INLIERS = 12
"""Features that must agree. In the Kaggle set, photographs that overlap have 23 or more, others 10 at most (ADR 11)."""

_NEAREST = 0.8  # Lowe (2004): the nearest must be nearer than this share of the distance to the second nearest
_TOLERANCE = 3.0  # pixels
_LARGEST_SCALE = 2.0  # along either axis, or its inverse


def inliers(first: Features, second: Features, *, mirror: bool) -> int:
    """How many features of an image lie in another where one affine map puts them.

    RANSAC after Fischler and Bolles (1981), on features that are each other's nearest.

    Args:
        first: Features of one image.
        second: Features of the other.
        mirror: Whether to look for the mirror image of the first; else for itself.

    Returns:
        Their number; 0 where no map is found, or it stretches or mirrors as no augmentation does.
    """
    if min(len(first.points), len(second.points)) < INLIERS:
        return 0
    one = unit(mirrored(first.descriptors) if mirror else first.descriptors)
    similarity = one @ unit(second.descriptors).T
    rows = np.arange(len(one))
    best = similarity.argmax(axis=1)
    # Squared distance of two unit vectors: 2 (1 - their product).
    distance = 1 - np.partition(similarity, -2, axis=1)[:, -2:]
    clear = (distance[:, 1] < _NEAREST**2 * distance[:, 0]) & (similarity.argmax(axis=0)[best] == rows)
    if clear.sum() < INLIERS:
        return 0
    found, agreeing = cv2.estimateAffine2D(
        first.points[clear],
        second.points[best[clear]],
        method=cv2.RANSAC,
        ransacReprojThreshold=_TOLERANCE,
        maxIters=500,
        confidence=0.99,
    )
    if found is None:
        return 0
    linear = found[:, :2]
    largest, smallest = np.linalg.svd(linear, compute_uv=False)
    plausible = largest < _LARGEST_SCALE and smallest > 1 / _LARGEST_SCALE
    return int(agreeing.sum()) if plausible and (np.linalg.det(linear) < 0) == mirror else 0
