"""The synthetic set: equal arguments give equal bytes, every image names its cell, and the classes look as defined."""

import csv
import errno
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

from bloodcell.data import synthetic
from bloodcell.data.synthetic import synthesize
from bloodcell.data.white_cells import KINDS, draw_photograph
from bloodcell.errors import ConfigError, StorageError

TRAIN, TEST, VIEWS = 2, 1, 2


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "set"
    synthesize(folder, train_cells=TRAIN, test_cells=TEST, views=VIEWS, workers=1)
    return folder


def test_layout_and_counts_are_as_asked(folder: Path) -> None:
    counts = Counter(path.parent.relative_to(folder).as_posix() for path in folder.rglob("*.jpeg"))
    expected = {"TRAIN": TRAIN * VIEWS, "TEST": TEST * VIEWS, "TEST_SIMPLE": TEST}
    assert counts == {f"{split}/{label}": count for split, count in expected.items() for label in KINDS}


def test_images_are_rgb_jpegs_of_the_kaggle_size(folder: Path) -> None:
    for path in folder.rglob("*.jpeg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 240))


def test_sources_name_the_cell_of_every_image(folder: Path) -> None:
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
        sources = {row["path"]: row["source"] for row in csv.DictReader(file)}
    assert sources.keys() == {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpeg")}
    assert sources["TRAIN/NEUTROPHIL/neutrophil-train-0001-00.jpeg"] == "neutrophil-train-0001"

    def cells(split: str) -> Counter[str]:
        return Counter(source for path, source in sources.items() if path.startswith(f"{split}/"))

    assert set(cells("TRAIN").values()) == set(cells("TEST").values()) == {VIEWS}
    assert cells("TRAIN").keys().isdisjoint(cells("TEST"))
    assert cells("TEST_SIMPLE").keys() == cells("TEST").keys()


def test_no_two_images_are_alike(folder: Path) -> None:
    images = {path: digest for path, digest in hashes(folder).items() if path.endswith(".jpeg")}
    assert len(set(images.values())) == len(images)


def test_notice_says_what_the_images_are(folder: Path) -> None:
    notice = (folder / "SYNTHETIC.md").read_text(encoding="utf-8")
    assert "drawn by a program" in notice
    assert "train_cells 2, test_cells 1, views 2, seed 0" in notice


def test_bytes_do_not_depend_on_workers(folder: Path, tmp_path: Path) -> None:
    synthesize(tmp_path, train_cells=TRAIN, test_cells=TEST, views=VIEWS, workers=5)
    assert hashes(tmp_path) == hashes(folder)


def test_cells_do_not_depend_on_how_many_are_drawn(folder: Path, tmp_path: Path) -> None:
    synthesize(tmp_path, train_cells=1, test_cells=1, views=1)
    common = hashes(folder)
    assert all(common[path] == digest for path, digest in hashes(tmp_path).items() if path.endswith("-00.jpeg"))


def test_another_seed_draws_another_set(folder: Path, tmp_path: Path) -> None:
    synthesize(tmp_path, train_cells=1, test_cells=1, views=1, seed=1)
    images = {digest for path, digest in hashes(tmp_path).items() if path.endswith(".jpeg")}
    assert images.isdisjoint(hashes(folder).values())


def test_progress_counts_every_cell(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    synthesize(tmp_path, train_cells=1, test_cells=1, views=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 8) for done in range(1, 9)]


# What the eye goes by, measured on the finished photographs.


def nucleus(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Pixels much darker in red and green than in blue, without the platelets."""
    red, green, blue = np.moveaxis(ndimage.gaussian_filter(picture, (1, 1, 0)), -1, 0)
    dark = (blue - green > 55) & (green < 130) & (red < 165)
    regions, _ = ndimage.label(ndimage.binary_dilation(dark, iterations=4))
    return np.asarray(dark & (regions == np.bincount(regions[dark]).argmax()))


def granules(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Pixels of a saturated orange-red, stronger than any red cell's."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    return np.asarray((red - green > 70) & (red - blue > 45))


def lobes(picture: NDArray[np.int16]) -> int:
    """Most pieces the nucleus falls into while its strands are worn away pixel by pixel."""
    worn, most = nucleus(picture), 0
    for _ in range(20):
        worn = ndimage.binary_erosion(worn)
        regions, _ = ndimage.label(worn)
        most = max(most, int((np.bincount(regions.ravel())[1:] >= 15).sum()))
    return most


def solidity(picture: NDArray[np.int16]) -> float:
    """Area of the nucleus over that of its convex hull: near 1 if it is round."""
    points = np.argwhere(nucleus(picture))
    return float(len(points) / ConvexHull(points).volume)


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[NDArray[np.int16]]]:
    return {
        label: [np.asarray(draw_photograph(label, np.random.default_rng(seed)), np.int16) for seed in range(12)]
        for label in KINDS
    }


def test_nuclei_have_as_many_lobes_as_their_class(pictures: dict[str, list[NDArray[np.int16]]]) -> None:
    typical = {label: np.median([lobes(picture) for picture in shown]) for label, shown in pictures.items()}
    assert (typical["LYMPHOCYTE"], typical["MONOCYTE"], typical["EOSINOPHIL"]) == (1, 1, 2)
    assert 3 <= typical["NEUTROPHIL"] <= 5


def test_lymphocyte_nuclei_are_round_and_monocyte_nuclei_large_and_bent(
    pictures: dict[str, list[NDArray[np.int16]]],
) -> None:
    round_, bent = ([solidity(picture) for picture in pictures[label]] for label in ("LYMPHOCYTE", "MONOCYTE"))
    assert min(round_) > 0.96 > max(bent)
    area = {label: np.median([nucleus(picture).sum() for picture in shown]) for label, shown in pictures.items()}
    assert max(area, key=lambda label: area[label]) == "MONOCYTE"


def test_only_eosinophils_are_full_of_red_granules(pictures: dict[str, list[NDArray[np.int16]]]) -> None:
    share = {label: [granules(picture).mean() for picture in shown] for label, shown in pictures.items()}
    eosinophils = share.pop("EOSINOPHIL")
    assert min(eosinophils) > 2 * max(map(max, share.values()))


@pytest.mark.parametrize("count", ["train_cells", "test_cells", "views"])
def test_counts_below_one_are_refused(tmp_path: Path, count: str) -> None:
    counts: dict[str, Any] = {"train_cells": 1, "test_cells": 1, "views": 1, count: 0}
    with pytest.raises(ConfigError, match=f"{count} is 0"):
        synthesize(tmp_path, **counts)
    assert not list(tmp_path.iterdir())


def test_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed is -1"):
        synthesize(tmp_path, seed=-1)


def test_folder_with_files_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="not empty"):
        synthesize(tmp_path)
    assert hashes(tmp_path).keys() == {"mine.txt"}


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").touch()
    with pytest.raises(ConfigError, match="is a file"):
        synthesize(tmp_path / "set")
    with pytest.raises(StorageError, match="cannot write"):
        synthesize(tmp_path / "set" / "below")


def test_full_disk_leaves_no_half_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw_until_full(label: str, rng: np.random.Generator) -> Image.Image:
        drawn.append(label)
        if len(drawn) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return draw_photograph(label, rng)

    monkeypatch.setattr(synthetic, "draw_photograph", draw_until_full)
    with pytest.raises(StorageError, match="No space left"):
        synthesize(tmp_path, train_cells=1, test_cells=1, views=1)
    assert not list(tmp_path.iterdir())
