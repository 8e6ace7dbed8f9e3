import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bloodcell import artifacts
from bloodcell.data import decoded, tfrecord
from bloodcell.data.dataset import DatasetInfo, read_manifest
from bloodcell.data.decoded import decoded_images
from bloodcell.errors import CorruptObjectError, ImageError
from bloodcell.store import LocalStore


def decode(store: LocalStore, info: DatasetInfo, cache: Path, misses: list[int] | None = None) -> np.ndarray:
    manifest = read_manifest(store, info)
    return decoded_images(
        store, info, manifest, 20, cache=cache, on_miss=lambda: (misses if misses is not None else []).append(1)
    )


def test_images_lie_in_manifest_order_and_look_like_the_originals(store, coloured, tmp_path):
    images = decode(store, coloured, tmp_path / "cache")
    manifest = read_manifest(store, coloured)
    assert images.shape == (len(manifest), 20, 20, 3)
    assert images.dtype == np.uint8
    assert not images.flags.writeable
    shard = store.root / artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    originals = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
    for row in (0, 7, len(manifest) - 1):
        place = manifest.iloc[row]
        assert place["shard"] == 0
        picture = Image.open(io.BytesIO(originals[place["position"]]))
        resized = np.asarray(picture.resize((20, 20), Image.Resampling.BILINEAR), dtype=float)
        # Pillow and TensorFlow resize alike but for their rounding.
        assert np.abs(images[row] - resized).mean() < 2


def test_images_are_decoded_once_for_a_machine(store, coloured, tmp_path):
    misses: list[int] = []
    first = decode(store, coloured, tmp_path / "cache", misses)
    second = decode(store, coloured, tmp_path / "cache", misses)
    assert misses == [1]
    np.testing.assert_array_equal(first, second)
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 1


def test_a_damaged_shard_is_refused_and_leaves_nothing_in_the_cache(store, coloured, tmp_path):
    shard = store.root / artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(CorruptObjectError, match="has the SHA-256"):
        decode(store, coloured, tmp_path / "cache")
    assert list((tmp_path / "cache" / "images").iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "other shape", "no array"])
def test_a_damaged_cache_is_decoded_anew(store, coloured, tmp_path, damage):
    whole = decode(store, coloured, tmp_path / "cache").copy()
    (path,) = (tmp_path / "cache" / "images").iterdir()
    match damage:
        case "truncated":
            path.write_bytes(path.read_bytes()[:-1000])
        case "empty":
            path.write_bytes(b"")
        case "other shape":
            np.save(path, whole[:-1])
        case "no array":
            path.write_bytes(b"nonsense")
    misses: list[int] = []
    np.testing.assert_array_equal(decode(store, coloured, tmp_path / "cache", misses), whole)
    assert misses == [1]


def test_another_decoder_does_not_use_the_cache_of_this_one(store, coloured, tmp_path, monkeypatch):
    misses: list[int] = []
    decode(store, coloured, tmp_path / "cache", misses)
    monkeypatch.setattr(decoded, "_decoder", lambda: "other")
    decode(store, coloured, tmp_path / "cache", misses)
    assert misses == [1, 1]


def test_two_that_decode_at_once_get_the_same(store, coloured, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: decode(store, coloured, tmp_path / "cache"), range(2))
    np.testing.assert_array_equal(first, second)
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 1


def test_an_image_that_tensorflow_cannot_decode_is_named(store, coloured, tmp_path):
    manifest = read_manifest(store, coloured)
    name = artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    records = list(tf.data.TFRecordDataset(str(store.root / name)).as_numpy_iterator())
    records[70] = b"no image"
    store.write(name, b"".join(map(tfrecord.encode, records)))
    digest = hashlib.sha256(store.read(name)).hexdigest()
    info = coloured.model_copy(update={"shards": {"shards/00000.tfrecord": digest}})
    path = manifest["path"][manifest["position"] == 70].item()
    with pytest.raises(ImageError, match=f"{path} in coloured@{coloured.version} cannot be decoded"):
        decode(store, info, tmp_path / "cache")
