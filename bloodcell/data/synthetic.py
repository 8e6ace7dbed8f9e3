"""A labelled synthetic set in the Kaggle set's layout, drawn by this program, so that a demo needs no download."""

import csv
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np
from PIL import Image

from bloodcell.data.drawing import HEIGHT, WIDTH
from bloodcell.data.layout import SOURCES_FILE, SYNTHETIC_FILE
from bloodcell.data.white_cells import KINDS, draw_photograph
from bloodcell.errors import ConfigError, StorageError

SPLITS = ("TRAIN", "TEST")
SIMPLE = "TEST_SIMPLE"

_QUALITY = 75  # the Kaggle set's quantisation tables
_ROTATION = 20.0  # degrees to either side
_SHIFT = 0.06  # of the width and height, to either side


@dataclass(frozen=True)
class SourceCell:
    """One drawn cell, the origin of one photograph and all its views.

    Attributes:
        label: Its class.
        split: TRAIN or TEST.
        index: Number among the cells of its class and split, from 0.
    """

    label: str
    split: str
    index: int

    @property
    def name(self) -> str:
        """Its id in sources.csv, such as `neutrophil-train-0012`."""
        return f"{self.label}-{self.split}-{self.index:04}".lower()

    def generator(self, seed: int) -> np.random.Generator:
        """A generator of this cell's own, so that no other cell and no order of work changes what is drawn."""
        return np.random.default_rng([seed, list(KINDS).index(self.label), SPLITS.index(self.split), self.index])


def synthesize(
    folder: Path,
    *,
    train_cells: int = 80,
    test_cells: int = 16,
    views: int = 6,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the set into a new folder: TRAIN, TEST and TEST_SIMPLE with a folder a class, sources.csv and SYNTHETIC.md.

    Equal arguments give byte-identical files, however many workers draw them (with the same NumPy and Pillow).

    Args:
        folder: Where the set is written; created, or empty.
        train_cells: Source cells a class behind TRAIN.
        test_cells: Source cells a class behind TEST; TEST_SIMPLE holds their photographs themselves.
        views: Images made of each source cell by rotation, flips and shift.
        seed: Seed of all that is drawn, 0 or more.
        workers: Threads that draw; as many as suit the machine where left out.
        progress: Called with the source cells drawn so far and their total after each.

    Raises:
        ConfigError: A count is below 1, the seed is negative, or `folder` is a file or not empty.
        StorageError: `folder` cannot be written to.
    """
    counts = {"train_cells": train_cells, "test_cells": test_cells, "views": views}
    _check(counts, seed)
    cells = [
        SourceCell(label, split, index)
        for split, count in zip(SPLITS, (train_cells, test_cells), strict=True)
        for label in KINDS
        for index in range(count)
    ]
    try:
        _make_folders(folder)
        try:
            _write_notice(folder, counts, seed)
            with ThreadPoolExecutor(workers) as pool:
                # Threads suffice: NumPy's loops and Pillow's transforms and JPEG encoder release the interpreter lock.
                drawn = pool.map(lambda cell: _write_cell(folder, cell, views, seed), cells)
                _write_sources(folder, cells, _reported(drawn, len(cells), progress))
        except BaseException:
            _clear(folder)  # it was empty before, and half a set is of no use
            raise
    except OSError as error:
        raise StorageError(
            f"cannot write the synthetic set to {folder}: {error.strerror or error}",
            remedy="name a folder on a disk with space that this user may write to",
        ) from error


def _check(counts: dict[str, int], seed: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(
                f"{name} is {count}; accepted are whole numbers from 1", remedy=f"set {name} to 1 or more"
            )
    if seed < 0:
        raise ConfigError(f"seed is {seed}; accepted are whole numbers from 0", remedy="set seed to 0 or more")


def _make_folders(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; a folder is needed", remedy="name a new or empty folder")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty; synthetic images are written to a new or empty folder",
            remedy="name another folder, or move what is in this one",
        )
    for split in (*SPLITS, SIMPLE):
        for label in KINDS:
            (folder / split / label).mkdir(parents=True)


def _write_notice(folder: Path, counts: dict[str, int], seed: int) -> None:
    parameters = ", ".join(f"{name} {count}" for name, count in counts.items())
    notice = f"""\
        # Synthetic images

        Every image here was drawn by a program (`bloodcell data synthesize`). None is a photograph of blood, and
        nothing measured on them supports a medical claim.

        Parameters: {parameters}, seed {seed}. `{SOURCES_FILE}` names the drawn cell behind each image.
        """
    (folder / SYNTHETIC_FILE).write_text(dedent(notice), encoding="utf-8")


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _reported(
    drawn: Iterable[list[str]], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[list[str]]:
    for done, paths in enumerate(drawn, start=1):
        if progress:
            progress(done, total)
        yield paths


def _write_sources(folder: Path, cells: list[SourceCell], drawn: Iterable[list[str]]) -> None:
    """Write sources.csv once the last cell is drawn; `drawn` holds each cell's image paths."""
    rows = sorted((path, cell.name) for cell, paths in zip(cells, drawn, strict=True) for path in paths)
    with (folder / SOURCES_FILE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("path", "source"))
        table.writerows(rows)


def _write_cell(folder: Path, cell: SourceCell, views: int, seed: int) -> list[str]:
    """Draw one source cell; returns the paths of its images below `folder`."""
    rng = cell.generator(seed)
    picture = draw_photograph(cell.label, rng)
    images = {f"{cell.split}/{cell.label}/{cell.name}-{view:02}.jpeg": _view(picture, rng) for view in range(views)}
    if cell.split == "TEST":
        images[f"{SIMPLE}/{cell.label}/{cell.name}.jpeg"] = picture
    for path, image in images.items():
        image.save(folder / path, "JPEG", quality=_QUALITY)
    return list(images)


def _view(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture flipped, rotated and shifted at random; black where nothing was photographed."""
    for flip in (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM):
        if rng.random() < 0.5:
            picture = picture.transpose(flip)
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * (WIDTH, HEIGHT)
    return picture.rotate(
        rng.uniform(-_ROTATION, _ROTATION), Image.Resampling.BILINEAR, translate=(int(shift[0]), int(shift[1]))
    )
