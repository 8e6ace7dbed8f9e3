"""Which images train, validate and test: the evaluation protocols.

    source   train and validation share no source cell; the test is TEST where the archive declares one, and images
             outside it whose cell is in it are unused. Some images of training cells are held out too (`seen`): the
             figure that a random split would have given
    folder   TRAIN split at random, by image, into train and validation; the test is TEST
    pooled   TRAIN and TEST pooled and split at random, by image; siblings of test images train

A share is taken of each class by itself; a source with images of two classes goes with the more frequent one. Which
units it takes depends on the seed and on their own names alone, through a hash, so that it is the same for any order
of the rows, and one image more moves few of the others.
"""

import hashlib
from collections import Counter
from typing import Literal

import pandas as pd

from bloodcell.config import ExperimentConfig
from bloodcell.data.sources import majority_label
from bloodcell.errors import ConfigError, DatasetError

Split = Literal["train", "validation", "test", "seen", "unused"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "seen", "unused")

_NEEDED: tuple[Split, ...] = ("train", "validation", "test")


def assign(manifest: pd.DataFrame, config: ExperimentConfig, *, sources_known: bool) -> "pd.Series[str]":
    """Assign every image to a split.

    Args:
        manifest: One row an image, with the columns of `manifest.MANIFEST` and a unique index.
        config: Protocol, fractions, seed and batch size.
        sources_known: Whether the column source names the photographed cell.

    Returns:
        One of `SPLITS` for each row. TEST_SIMPLE, whose images lie behind TEST, is always `unused`.

    Raises:
        DatasetError: The protocol needs a TEST that is not declared, or leaves a class without images in a split.
        ConfigError: A batch is larger than the training set.
    """
    _check_declared(manifest, config)
    assigned = pd.Series("unused", index=manifest.index, name="split")
    declares_test = bool((manifest["declared"] == "TEST").any())
    used = manifest[manifest["declared"] != "TEST_SIMPLE"]
    if config.split == "source" and declares_test:
        used = _without_tested_sources(used)
    for _, rows in used.groupby(majority_label(used) if config.split == "source" else "label"):
        test, rest = _take_test(rows, config, declares_test)
        unit = "source" if config.split == "source" else "sha256"
        validation = _share(rest, unit, config.validation_fraction, config.seed)
        train = rest.drop(validation.index)
        assigned[test.index] = "test"
        assigned[validation.index] = "validation"
        assigned[train.index] = "train"
        if config.split == "source":
            assigned[_seen(train, config, sources_known=sources_known)] = "seen"
    _check_classes(manifest, assigned, config)
    _check_batch(assigned, config)
    return assigned


def _without_tested_sources(manifest: pd.DataFrame) -> pd.DataFrame:
    """The test images, and the others but for those of a source that is tested: two photographs may overlap."""
    is_test = manifest["declared"] == "TEST"
    tested = manifest["source"].isin(set(manifest.loc[is_test, "source"]))
    return manifest[is_test | ~tested]


def _take_test(rows: pd.DataFrame, config: ExperimentConfig, declares_test: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The test images of a class, and the others."""
    if config.split == "pooled":
        test = _share(rows, "sha256", config.test_fraction, config.seed)
    elif declares_test:
        test = rows[rows["declared"] == "TEST"]
    else:
        test = _share(rows, "source", config.test_fraction, config.seed)
    return test, rows.drop(test.index)


def _share(rows: pd.DataFrame, unit: str, fraction: float, seed: int) -> pd.DataFrame:
    """All rows of a share of the units, of at least one unit: a class of three cells is validated on one of them."""
    units = sorted(set(rows[unit]), key=lambda name: _rank(str(name), seed))
    chosen = units[: max(1, round(fraction * len(units)))]
    return rows[rows[unit].isin(chosen)]


def _seen(train: pd.DataFrame, config: ExperimentConfig, *, sources_known: bool) -> list[int]:
    """Index of the training images to hold out, such that each source that has some keeps one that trains."""
    # Where sources are unknown a sibling may be anywhere in the class: the class keeps one.
    group = train["source"] if sources_known else train["label"]
    left = Counter(group)
    chosen: list[int] = []
    wanted = round(config.seen_fraction * len(train))
    images = zip(train["sha256"], group, train.index, strict=True)
    for _, owner, row in sorted(images, key=lambda image: _rank(image[0], config.seed)):
        if len(chosen) < wanted and left[owner] > 1:
            left[owner] -= 1
            chosen.append(row)
    return chosen


def _rank(name: str, seed: int) -> bytes:
    """Place of a unit in a random order that depends on nothing but its name and the seed."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _check_declared(manifest: pd.DataFrame, config: ExperimentConfig) -> None:
    images = Counter(manifest["declared"])
    if config.split == "folder" and not (images["TRAIN"] and images["TEST"]):
        raise DatasetError(
            f"split is folder, which needs images in TRAIN and TEST; the dataset has {images['TRAIN']:,} in TRAIN and "
            f"{images['TEST']:,} in TEST",
            remedy="set split: source, or split: pooled",
        )


def _check_classes(manifest: pd.DataFrame, assigned: "pd.Series[str]", config: ExperimentConfig) -> None:
    for label, splits in assigned.groupby(manifest["label"]):
        counts = Counter(splits)
        if not all(counts[split] for split in _NEEDED):
            raise DatasetError(
                f"split {config.split} leaves class {label} without images in a split: "
                + ", ".join(f"{split} {counts[split]:,}" for split in _NEEDED)
                + f" (test_fraction {config.test_fraction}, validation_fraction {config.validation_fraction})",
                remedy=f"add images of {label}, lower the fractions, or set another split",
            )


def _check_batch(assigned: "pd.Series[str]", config: ExperimentConfig) -> None:
    images = int((assigned == "train").sum())
    if images < config.batch_size:
        raise ConfigError(
            f"batch larger than the set: batch_size is {config.batch_size:,}, and split {config.split} trains on "
            f"{images:,} images",
            remedy=f"set batch_size to {images:,} or less",
        )
