"""Which of the images that were read make the dataset, and in what order. Nothing here does I/O.

Images are the rows of a table with the columns path, label, declared, sha256, size, width and height.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import pandas as pd

from bloodcell.data.dataset import Duplicate
from bloodcell.data.layout import ClassFolder
from bloodcell.data.manifest import MANIFEST
from bloodcell.errors import DatasetError

SHARD_IMAGES = 1000
SHARD_BYTES = 64 * 2**20
"""A shard ends before the image that would exceed either; an image larger than that has a shard of its own."""

_PREFERENCE = {"TEST": 0, "TRAIN": 1, "TEST_SIMPLE": 2, "": 3}
"""Which of two identical files stays. An image that is in the test must not also train."""


def check_classes(images: Counter[ClassFolder], folders: Collection[ClassFolder], *, origin: str) -> None:
    """Check that there is something to tell apart, and to learn it from.

    Args:
        images: Number of images by class folder.
        folders: Every class folder, whether or not it holds images.
        origin: Name of the archive, for the message.

    Raises:
        DatasetError: There are no images, only one class, or a class without images in TRAIN, in TEST, or at all.
    """
    if not images.total():
        raise DatasetError(
            f"{origin} holds no images in class folders; accepted are .jpg, .jpeg and .png files",
            remedy="put the images of each class into a folder named after it, if you like below TRAIN and TEST",
        )
    # TEST_SIMPLE is in no protocol: what it lacks, nobody misses.
    used = {folder for folder in {*images, *folders} if folder.declared != "TEST_SIMPLE"}
    labels = sorted({folder.label for folder in {*images, *folders}})
    for declared in sorted({folder.declared for folder in used}):
        counts = {label: images[ClassFolder(declared, label)] for label in labels}
        if empty := [label for label in labels if not counts[label]]:
            raise DatasetError(
                f"class {empty[0]} has no images in {declared or origin}; found were "
                + ", ".join(f"{label} {count:,}" for label, count in counts.items()),
                remedy=f"add images of {empty[0]} there, or remove its folder wherever it is",
            )
    if len(labels) == 1:
        raise DatasetError(
            f"{origin} holds one class only, {labels[0]} ({images.total():,} images); two or more are accepted",
            remedy="add images of the other classes, or give the folder above the class folders",
        )


def drop_duplicates(images: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Duplicate, ...]]:
    """Keep one of each set of byte-identical images, the same one whatever the order of the rows.

    Returns:
        The rows kept, sorted by SHA-256, and what was dropped, sorted by its path.

    Raises:
        DatasetError: Identical images have different labels.
    """
    preferred = images.assign(preference=images["declared"].map(_PREFERENCE)).sort_values(
        ["sha256", "preference", "path"], ignore_index=True
    )
    first = preferred.groupby("sha256")[["path", "label"]].transform("first")
    if (conflict := first["label"] != preferred["label"]).any():
        other, path = preferred.loc[conflict, "path"].iloc[0], first.loc[conflict, "path"].iloc[0]
        raise DatasetError(
            f"{path} and {other} are the same image under two classes", remedy="remove the one that is labelled wrongly"
        )
    repeated = preferred.duplicated("sha256")
    dropped = sorted(zip(preferred.loc[repeated, "path"], first.loc[repeated, "path"], strict=True))
    return (
        preferred[~repeated].drop(columns="preference").reset_index(drop=True),
        tuple(Duplicate(dropped=path, kept=kept) for path, kept in dropped),
    )


def build_manifest(images: pd.DataFrame, sources: Mapping[str, str] | None) -> pd.DataFrame:
    """The manifest of images that are sorted by SHA-256.

    Args:
        images: As `drop_duplicates` returns them.
        sources: Source by path; where None, each image is its own source.

    Returns:
        A table with the columns of `MANIFEST`; an image that `sources` does not name has no source.
    """
    source = images["sha256"] if sources is None else images["path"].map(sources.get)
    places = pd.DataFrame(_shard_places(images["size"]), columns=["shard", "position"], index=images.index)
    return images.assign(source=source).join(places).filter(MANIFEST.names)


def _shard_places(sizes: "pd.Series[int]") -> list[tuple[int, int]]:
    """Shard and position of each image, filling one shard after the other."""
    places: list[tuple[int, int]] = []
    shard = position = filled = 0
    for size in sizes:
        if position and (position == SHARD_IMAGES or filled + size > SHARD_BYTES):
            shard, position, filled = shard + 1, 0, 0
        places.append((shard, position))
        position, filled = position + 1, filled + size
    return places
