from collections import Counter

import pandas as pd
import pytest

from bloodcell.data import curation
from bloodcell.data.curation import build_manifest, check_classes, drop_duplicates
from bloodcell.data.dataset import Duplicate
from bloodcell.data.layout import ClassFolder
from bloodcell.data.manifest import MANIFEST
from bloodcell.errors import DatasetError


def images(*rows: tuple[str, str], size: int = 100) -> pd.DataFrame:
    """Images given by path and content; label and declared split are those of the path."""
    table = pd.DataFrame(rows, columns=["path", "sha256"])
    parts = table["path"].str.split("/", expand=True)
    return table.assign(declared=parts[0], label=parts[1], size=size, width=4, height=3)


COPIES = images(
    ("TRAIN/MONO/a", "in all three"),
    ("TEST/MONO/z", "in all three"),
    ("TEST_SIMPLE/MONO/a", "in all three"),
    ("TRAIN/MONO/y", "not in the test"),
    ("TEST_SIMPLE/MONO/b", "not in the test"),
    ("TEST/EOS/q", "twice in the test"),
    ("TEST/EOS/p", "twice in the test"),
    ("TRAIN/EOS/alone", "once"),
)


@pytest.mark.parametrize("seed", range(10))
def test_a_duplicate_stays_where_it_weakens_no_evaluation_whatever_the_order(seed: int) -> None:
    kept, duplicates = drop_duplicates(COPIES.sample(frac=1, random_state=seed))
    assert kept["path"].tolist() == ["TEST/MONO/z", "TRAIN/MONO/y", "TRAIN/EOS/alone", "TEST/EOS/p"]
    assert kept["sha256"].is_monotonic_increasing
    assert duplicates == (
        Duplicate(dropped="TEST/EOS/q", kept="TEST/EOS/p"),
        Duplicate(dropped="TEST_SIMPLE/MONO/a", kept="TEST/MONO/z"),
        Duplicate(dropped="TEST_SIMPLE/MONO/b", kept="TRAIN/MONO/y"),
        Duplicate(dropped="TRAIN/MONO/a", kept="TEST/MONO/z"),
    )


@pytest.mark.parametrize("seed", range(5))
def test_one_image_under_two_classes_is_refused_with_both_names(seed: int) -> None:
    conflicting = pd.concat([COPIES, images(("TRAIN/EOS/alone too", "not in the test"))])
    with pytest.raises(DatasetError, match="under two classes") as caught:
        drop_duplicates(conflicting.sample(frac=1, random_state=seed))
    assert "TRAIN/EOS/alone too and TRAIN/MONO/y are the same image under two classes" in caught.value.problem


def check(*folders: str, empty: tuple[str, ...] = ()) -> None:
    """Check class folders given as `declared/label`, with two images in each that is not in `empty`."""
    counts = Counter({ClassFolder(*folder.split("/")): 2 for folder in folders})
    check_classes(counts, [*counts, *(ClassFolder(*folder.split("/")) for folder in empty)], origin="set.zip")


def test_two_classes_in_every_split_are_accepted() -> None:
    check("TRAIN/EOS", "TRAIN/MONO", "TEST/EOS", "TEST/MONO")
    check("/EOS", "/MONO")


def test_what_test_simple_lacks_is_not_missed() -> None:
    check("TRAIN/EOS", "TRAIN/MONO", "TEST_SIMPLE/EOS", empty=("TEST_SIMPLE/MONO",))


def test_no_images_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"set\.zip holds no images in class folders"):
        check(empty=("/EOS",))


def test_one_class_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"one class only, EOS \(4 images\)"):
        check("TRAIN/EOS", "TEST/EOS")


@pytest.mark.parametrize(
    ("folders", "empty", "match"),
    [
        (("TRAIN/EOS", "TEST/EOS", "TEST/MONO"), (), "class MONO has no images in TRAIN; found were EOS 2, MONO 0"),
        (("TRAIN/EOS", "TRAIN/MONO", "TEST/EOS"), (), "class MONO has no images in TEST"),
        (("TRAIN/EOS", "TRAIN/MONO"), ("TRAIN/LYMPH",), "class LYMPH has no images in TRAIN"),
        (("TRAIN/EOS", "TRAIN/MONO"), ("TEST/EOS", "TEST/MONO"), "class EOS has no images in TEST"),
        (("TRAIN/EOS", "TRAIN/MONO"), ("TEST_SIMPLE/LYMPH",), "class LYMPH has no images in TRAIN"),
        (("/EOS", "/MONO"), ("/LYMPH",), r"class LYMPH has no images in set\.zip"),
    ],
)
def test_an_empty_class_is_refused(folders: tuple[str, ...], empty: tuple[str, ...], match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        check(*folders, empty=empty)


def places(sizes: list[int]) -> list[tuple[int, int]]:
    rows = images(*((f"/EOS/{index}", f"{index}") for index in range(len(sizes)))).assign(size=sizes)
    manifest = build_manifest(rows, None)
    return list(zip(manifest["shard"], manifest["position"], strict=True))


def test_a_shard_ends_before_the_image_that_would_exceed_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation, "SHARD_IMAGES", 3)
    monkeypatch.setattr(curation, "SHARD_BYTES", 100)
    assert places([1, 1, 1, 1]) == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert places([50, 50, 1]) == [(0, 0), (0, 1), (1, 0)]
    assert places([500, 1, 500]) == [(0, 0), (1, 0), (2, 0)]


def test_the_manifest_has_its_columns_and_each_image_its_source() -> None:
    rows = images(("TRAIN/EOS/a", "1"), ("TRAIN/EOS/b", "2"))
    assert list(build_manifest(rows, None).columns) == MANIFEST.names
    assert build_manifest(rows, None)["source"].tolist() == ["1", "2"]
    named = build_manifest(rows, {"TRAIN/EOS/a": "cell"})["source"]
    assert named.iloc[0] == "cell"
    assert pd.isna(named.iloc[1])
