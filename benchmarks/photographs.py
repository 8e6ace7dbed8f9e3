"""The images that benchmarks train on: some of the Kaggle set, or drawn ones where no archive is given."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pandas as pd

from bloodcell.data.archive import open_archive
from bloodcell.data.dataset import DatasetInfo, read_info
from bloodcell.data.ingest import push
from bloodcell.data.layout import SOURCES_FILE, SYNTHETIC_FILE, read_layout
from bloodcell.data.manifest import read_manifest
from bloodcell.data.synthetic import synthesize
from bloodcell.errors import WeightsError
from bloodcell.store import LocalStore

_NAME = "benchmark"
_VIEWS, _CLASSES = 6, 4  # of a drawn set


@dataclass(frozen=True)
class Published:
    """A dataset version in a store of the benchmark's own."""

    store: LocalStore
    info: DatasetInfo
    manifest: pd.DataFrame

    @classmethod
    def of(cls, source: Path, store: Path) -> Self:
        """Push an archive or a folder into a store in a new folder."""
        push(LocalStore(store), source, name=_NAME)
        return cls.at(store)

    @classmethod
    def at(cls, store: Path) -> Self:
        """The dataset version that `of` pushed into a store."""
        opened = LocalStore(store)
        info = read_info(opened, _NAME)
        return cls(opened, info, read_manifest(opened, info))


@contextmanager
def photographs(data: Path | None, count: int) -> Iterator[tuple[Path, str]]:
    """A temporary folder with images of TRAIN and TEST, in an archive's proportions.

    Args:
        data: The archive, of the Kaggle set or in a layout that `bloodcell data push` accepts; drawn where it is None.
        count: Images to take, to the nearest number that the proportions allow; all where the archive holds fewer.

    Yields:
        The folder, and what a table says of the images.
    """
    with TemporaryDirectory() as temporary:
        drawn, chosen = Path(temporary) / "drawn", Path(temporary) / "chosen"
        if data is None:
            cells = max(2, round(count / _VIEWS / _CLASSES))
            test = max(1, round(0.2 * cells))
            synthesize(drawn, train_cells=max(2, cells - test), test_cells=test, views=_VIEWS)
        taken = _take(data or drawn, Published.of(data or drawn, Path(temporary) / "store"), count, chosen)
        yield chosen, f"{taken:,} {f'images of {data.name}' if data else 'synthetic images'}"


def _take(source: Path, whole: Published, count: int, folder: Path) -> int:
    """Copy a choice of the images into a folder, with what names their sources; returns how many."""
    images = choose(whole.manifest[whole.manifest["declared"] != "TEST_SIMPLE"], count)
    with open_archive(source) as archive:
        root = read_layout(archive.files, archive.folders).root
        for path in images["path"]:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(archive.read(root + path))
    if whole.info.sources_from == SOURCES_FILE:  # others are known by the images themselves
        images[["path", "source"]].to_csv(folder / SOURCES_FILE, index=False)
    if whole.info.synthetic:
        (folder / SYNTHETIC_FILE).write_text("Some images of a synthetic set, for a benchmark.\n")
    return len(images)


def choose(images: pd.DataFrame, count: int) -> pd.DataFrame:
    """A choice that keeps the proportions of declared splits, classes and, within each of these, source cells.

    Args:
        images: Rows of a manifest.
        count: Rows to choose, to the nearest number that the proportions allow.

    Returns:
        The chosen rows. Which they are depends on the images alone.
    """
    ordered = images.sort_values("sha256")
    cell = ordered.groupby(["declared", "label", "source"])["sha256"]
    # An image's place within its cell, from 0 to 1: the first tenth of the places has a tenth of each cell.
    place = (cell.cumcount() + 0.5) / cell.transform("size")
    ordered = ordered.assign(place=place).sort_values(["place", "sha256"])
    fraction = min(1.0, count / len(images))
    shares = [rows.head(round(fraction * len(rows))) for _, rows in ordered.groupby(["declared", "label"])]
    return pd.concat(shares).drop(columns="place")


def write_split(published: Published, split: "pd.Series[str]", source: Path, folder: Path) -> None:
    """Lay a split out as Keras reads it: a folder each for train, validation and test, in it a folder a class.

    Args:
        published: What `source` was pushed as.
        split: As `bloodcell.data.splits.assign` gives it.
        source: The folder of images.
        folder: A new folder.
    """
    for name in ("train", "validation", "test"):
        rows = published.manifest[split == name]
        for path, label, sha256 in zip(rows["path"], rows["label"], rows["sha256"], strict=True):
            (folder / name / label).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, folder / name / label / f"{sha256}{Path(path).suffix.lower()}")


def weights_file(folder: Path | None, width: float) -> Path | None:
    """MobileNet's weights of a width, in a folder of files named as Keras names them; None without a folder.

    Raises:
        WeightsError: The folder does not hold exactly one such file.
    """
    if folder is None:
        return None
    text = "1_0" if width == 1.0 else f"{10 * width:.1f}".replace(".", "_")
    pattern = f"mobilenet_{text}_*_no_top.weights.h5"
    match sorted(folder.glob(pattern)):
        case [file]:
            return file
        case files:
            raise WeightsError(
                f"{folder} holds {len(files)} files {pattern}; one is needed for width {width:g}",
                remedy="name a folder of MobileNet's weights by --weights, or leave it out for random ones",
            )
