"""Local features of an image: where they are and what they look like."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.errors import ImageError

Floats = npt.NDArray[np.float32]
Descriptors = npt.NDArray[np.uint8]

SIDE = 320
"""Longer side, in pixels, to which a larger image is reduced first: so cost depends on the number of images alone."""

_FEATURES = 300
# Half of OpenCV's default: a smear out of focus has few corners.
_CONTRAST = 0.02
# Augmentation fills what it rotates into view with black, whose edge would match every other such edge.
_FILL = 25
_MARGIN = 15

_CELLS, _ORIENTATIONS = 4, 8
_MIRROR = np.array(
    [
        ((_CELLS - 1 - row) * _CELLS + column) * _ORIENTATIONS + (-orientation) % _ORIENTATIONS
        for row in range(_CELLS)
        for column in range(_CELLS)
        for orientation in range(_ORIENTATIONS)
    ]
)


class Features(NamedTuple):
    """The features of an image, strongest first.

    Attributes:
        points: Shape (features, 2), in pixels of the reduced image.
        descriptors: uint8 of shape (features, 128), as SIFT gives them.
    """

    points: Floats
    descriptors: Descriptors


def describe(data: bytes) -> Features:
    """Find the features of an image; safe to call from several threads.

    Source: Lowe (2004), "Distinctive image features from scale-invariant keypoints" (SIFT).

    Args:
        data: The bytes of a JPEG or PNG file.

    Raises:
        ImageError: OpenCV cannot decode it.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ImageError("OpenCV cannot decode it", remedy="save the image again with another program, or remove it")
    if (scale := SIDE / max(image.shape)) < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    shown = (cv2.medianBlur(image, 3) > _FILL).astype(np.uint8)
    mask = cv2.erode(shown, np.ones((_MARGIN, _MARGIN), np.uint8))
    detector = cv2.SIFT.create(nfeatures=_FEATURES, contrastThreshold=_CONTRAST)
    keypoints, descriptors = detector.detectAndCompute(image, mask)
    if descriptors is None:
        return Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    return Features(np.array([keypoint.pt for keypoint in keypoints], np.float32), descriptors.astype(np.uint8))


def unit(descriptors: Descriptors) -> Floats:
    """RootSIFT: the dot product of two is the Hellinger kernel of the descriptors, and each has length one.

    Source: Arandjelović and Zisserman (2012), "Three things everyone should know to improve object retrieval".
    """
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True, dtype=np.float32), 1)
    roots: Floats = np.sqrt(descriptors / sums, dtype=np.float32)
    return roots


def mirrored(descriptors: Descriptors) -> Descriptors:
    """What the same features look like in the image's mirror image: the grid upside down, each angle negated.

    A descriptor is a grid of 4 x 4 histograms of 8 angles, turned to the feature's own direction.
    """
    return descriptors[:, _MIRROR]
