import hashlib
import io
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from bloodcell.data import curation, decoding, ingest
from bloodcell.data.dataset import Duplicate, dataset_names, read_info
from bloodcell.data.ingest import push
from bloodcell.data.manifest import MANIFEST, read_manifest
from bloodcell.errors import ArchiveError, ConfigError, DatasetError, ImageError, ObjectNotFoundError, StorageFullError
from bloodcell.store import LocalStore

TRAIN, TEST, SIMPLE = (f"set/images/{declared}" for declared in ("TRAIN", "TEST", "TEST_SIMPLE"))


def records(store: LocalStore, info, manifest: pd.DataFrame) -> list[bytes]:
    """The bytes that the manifest says each image has, by the shard and position it gives."""
    shards = []
    for file, sha256 in info.shards.items():
        data = store.read(f"datasets/{info.name}/{info.version}/{file}")
        assert hashlib.sha256(data).hexdigest() == sha256
        path = store.root / "datasets" / info.name / info.version / file
        shards.append(list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()))
    assert sum(map(len, shards)) == len(manifest)
    return [shards[row.shard][row.position] for row in manifest.itertuples()]


def test_a_pushed_set_is_read_back_image_by_image(store: LocalStore, zip_of, kaggle) -> None:
    info = push(store, zip_of(kaggle), name="cells")
    assert info == read_info(store, "cells")
    assert (info.origin, info.images, info.sources, info.sources_known) == ("images.zip", 14, 14, False)
    assert info.labels == ("EOSINOPHIL", "MONOCYTE")
    assert info.declared["TRAIN"] == {"EOSINOPHIL": 4, "MONOCYTE": 4}
    assert not info.synthetic
    assert info.skipped == info.duplicates == ()
    manifest = read_manifest(store, info)
    assert list(manifest.columns) == MANIFEST.names
    assert manifest["sha256"].is_monotonic_increasing
    assert (manifest["source"] == manifest["sha256"]).all()
    assert set(zip(manifest["width"], manifest["height"], strict=True)) == {(16, 12)}
    for row, data in zip(manifest.itertuples(), records(store, info, manifest), strict=True):
        assert data == kaggle[f"set/images/{row.path}"]
        assert row.path.split("/")[:2] == [row.declared, row.label]


def test_the_version_depends_on_neither_order_nor_packing(store: LocalStore, zip_of, folder_of, kaggle) -> None:
    shuffled = dict(random.Random(1).sample(list(kaggle.items()), len(kaggle)))
    shallower = {path.removeprefix("set/"): data for path, data in kaggle.items()}
    sources = [zip_of(kaggle), zip_of(shuffled, "shuffled.zip"), folder_of(kaggle), zip_of(shallower, "shallow.zip")]
    assert len({push(LocalStore(store.root / str(i)), s, name="cells").version for i, s in enumerate(sources)}) == 1


def test_another_image_gives_another_version(store: LocalStore, zip_of, kaggle, jpeg) -> None:
    first = push(store, zip_of(kaggle), name="cells")
    second = push(store, zip_of({**kaggle, f"{TRAIN}/MONOCYTE/new.jpg": jpeg(99)}), name="cells")
    assert read_info(store, "cells") == second
    assert read_info(store, f"cells@{first.version}") == first


def test_a_published_version_is_not_written_again(store: LocalStore, zip_of, kaggle, jpeg) -> None:
    first = push(store, zip_of(kaggle), name="cells")
    push(store, zip_of({**kaggle, f"{TRAIN}/MONOCYTE/new.jpg": jpeg(99)}, "more.zip"), name="cells")
    folder = store.root / "datasets/cells" / first.version
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert push(store, zip_of(kaggle, "copy.zip"), name="cells") == first
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert read_info(store, "cells") == first


def test_plain_class_folders_and_png(store: LocalStore, folder_of, jpeg) -> None:
    info = push(store, folder_of({"a/1.jpg": jpeg(1), "b/2.png": jpeg(2, "PNG")}), name="cells")
    assert info.declared == {"": {"a": 1, "b": 1}}
    manifest = read_manifest(store, info)
    assert sorted(records(store, info, manifest)) == sorted([jpeg(1), jpeg(2, "PNG")])


def test_images_are_where_the_manifest_says_in_many_shards(store: LocalStore, zip_of, kaggle, monkeypatch) -> None:
    monkeypatch.setattr(curation, "SHARD_IMAGES", 5)
    info = push(store, zip_of(kaggle), name="by-images")
    manifest = read_manifest(store, info)
    assert manifest.groupby("shard").size().tolist() == [5, 5, 4]
    assert sorted(records(store, info, manifest)) == sorted(kaggle.values())


def test_duplicates_are_dropped_and_recorded(store: LocalStore, zip_of, kaggle, jpeg) -> None:
    copies = {f"{TRAIN}/MONOCYTE/a.jpeg": jpeg(50), f"{TEST}/MONOCYTE/z.jpeg": jpeg(50)}
    info = push(store, zip_of({**kaggle, **copies}), name="cells")
    assert info.duplicates == (Duplicate(dropped="TRAIN/MONOCYTE/a.jpeg", kept="TEST/MONOCYTE/z.jpeg"),)
    assert info.images == 14 + 1


def test_unreadable_images_are_named_up_to_ten(store: LocalStore, zip_of, kaggle, jpeg) -> None:
    broken = {f"{TRAIN}/MONOCYTE/broken{index:02}.jpeg": b"no image" for index in range(11)}
    truncated = f"{TRAIN}/EOSINOPHIL/truncated.jpeg"
    source = zip_of({**kaggle, **broken, truncated: jpeg(70)[:-100]})
    with pytest.raises(ImageError, match="12 of 26 images cannot be read") as caught:
        push(store, source, name="cells")
    assert f"{truncated}: image file is truncated" in caught.value.problem
    assert "broken08.jpeg: neither JPEG nor PNG" in caught.value.problem
    assert "broken09" not in caught.value.problem
    assert "and 2 more" in caught.value.problem
    assert "--skip-unreadable" in caught.value.remedy
    assert list(store.list("datasets/")) == []
    info = push(store, source, name="cells", skip_unreadable=True)
    assert info.images == 14
    assert info.skipped == (truncated, *broken)


def test_a_damaged_member_counts_as_unreadable(store: LocalStore, zip_of, kaggle, jpeg) -> None:
    path = f"{TRAIN}/MONOCYTE/damaged.png"
    source = zip_of({**kaggle, path: jpeg(70, "PNG")})
    data = source.read_bytes()
    end_of_image = data.index(b"IEND")
    source.write_bytes(data[: end_of_image - 30] + bytes(10) + data[end_of_image - 20 :])
    with pytest.raises(ImageError, match=r"1 of 15 .*\n.*damaged\.png"):
        push(store, source, name="cells")


def test_an_image_of_too_many_pixels_is_refused(store: LocalStore, zip_of, kaggle, monkeypatch) -> None:
    buffer = io.BytesIO()
    Image.new("1", (15_000, 15_000)).save(buffer, "PNG")  # beyond what Pillow itself opens without a word
    with pytest.raises(ImageError, match=r"huge\.png: too large"):
        push(store, zip_of({**kaggle, f"{TRAIN}/MONOCYTE/huge.png": buffer.getvalue()}), name="cells")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 16 * 12 - 1)
    with pytest.raises(ImageError, match=r"too large: 16 x 12 px; accepted are up to 191 pixels"):
        push(store, zip_of(kaggle), name="cells")


def test_an_empty_class_is_refused_before_any_image_is_read(store: LocalStore, zip_of, kaggle) -> None:
    files = {path: b"no image" for path in kaggle if "TEST/MONOCYTE" not in path}
    with pytest.raises(DatasetError, match="class MONOCYTE has no images in TEST"):
        push(store, zip_of(files), name="cells")


def test_a_class_that_is_empty_once_the_unreadable_are_left_out_is_refused(store: LocalStore, zip_of, jpeg) -> None:
    files = {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2), "c/3.jpg": b"no image"}
    with pytest.raises(DatasetError, match=r"class c has no images in images\.zip"):
        push(store, zip_of(files), name="cells", skip_unreadable=True)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 64])
def test_a_name_that_is_no_object_name_is_refused_at_once(store: LocalStore, name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dataset name is"):
        push(store, tmp_path / "not even looked at.zip", name=name)


def test_progress_ends_at_the_number_of_images(store: LocalStore, zip_of, kaggle, monkeypatch) -> None:
    monkeypatch.setattr(curation, "SHARD_IMAGES", 5)
    read: list[tuple[int, int]] = []
    stored: list[tuple[int, int]] = []
    push(
        store,
        zip_of(kaggle),
        name="cells",
        progress=lambda *call: read.append(call),
        storing=lambda *call: stored.append(call),
    )
    assert read == [(done, 14) for done in range(1, 15)]
    assert stored == [(5, 14), (10, 14), (14, 14)]


def test_a_push_that_stops_at_any_write_leaves_nothing_visible(store: LocalStore, zip_of, kaggle, monkeypatch) -> None:
    monkeypatch.setattr(curation, "SHARD_IMAGES", 5)
    source, write = zip_of(kaggle), LocalStore.write
    left = 0

    def failing(self: LocalStore, name: str, data: bytes) -> None:
        nonlocal left
        if not left:
            raise StorageFullError("no space left", remedy="free space")
        left -= 1
        write(self, name, data)

    writes = 3 + 3  # the shards; the manifest, dataset.json and latest.json
    for allowed in range(writes):
        left = allowed
        with monkeypatch.context() as patch:
            patch.setattr(LocalStore, "write", failing)
            with pytest.raises(StorageFullError):
                push(store, source, name="cells")
        assert dataset_names(store) == []
        with pytest.raises(ObjectNotFoundError):
            read_info(store, "cells")
    assert read_info(store, "cells@" + push(store, source, name="cells").version).images == 14


def test_pushes_at_once_publish_one_whole_version(store: LocalStore, zip_of, kaggle) -> None:
    source = zip_of(kaggle)
    with ThreadPoolExecutor(4) as pool:
        versions = {info.version for info in pool.map(lambda _: push(store, source, name="cells"), range(8))}
    assert len(versions) == 1
    info = read_info(store, "cells")
    assert sorted(records(store, info, read_manifest(store, info))) == sorted(kaggle.values())


def test_a_file_that_changes_between_the_passes_is_refused(store: LocalStore, folder_of, kaggle, monkeypatch) -> None:
    folder = folder_of(kaggle)

    def describe_late(*arguments, **keywords):
        (folder / next(iter(kaggle))).write_bytes(b"changed")
        return describe(*arguments, **keywords)

    describe = ingest._describe
    monkeypatch.setattr(ingest, "_describe", describe_late)
    with pytest.raises(ArchiveError, match="has changed since it was checked"):
        push(store, folder, name="cells")
    assert dataset_names(store) == []
