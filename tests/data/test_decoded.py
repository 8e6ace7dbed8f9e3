import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from bloodcell import artifacts
from bloodcell.data import curation, tfrecord
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.decoded import decoded_batches
from bloodcell.data.ingest import push
from bloodcell.data.manifest import read_manifest
from bloodcell.errors import CorruptObjectError, ImageError
from bloodcell.store import LocalStore


def decode(store: LocalStore, info: DatasetInfo, folder: Path) -> np.ndarray:
    """All images, each at the row where it was said to be."""
    manifest = read_manifest(store, info)
    images = np.zeros((len(manifest), 20, 20, 3), np.uint8)
    for rows, batch in decoded_batches(store, info, manifest, 20, folder):
        assert len(list(folder.iterdir())) == 1  # the disk needs room for one shard
        images[rows] = batch
    return images


def test_images_lie_in_manifest_order_and_look_like_the_originals(store, coloured, tmp_path):
    images = decode(store, coloured, tmp_path / "shards")
    manifest = read_manifest(store, coloured)
    assert images.shape == (len(manifest), 20, 20, 3)
    assert images.dtype == np.uint8
    shard = store.root / artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    originals = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
    for row in (0, 7, len(manifest) - 1):
        place = manifest.iloc[row]
        assert place["shard"] == 0
        picture = Image.open(io.BytesIO(originals[place["position"]]))
        resized = np.asarray(picture.resize((20, 20), Image.Resampling.BILINEAR), dtype=float)
        # Pillow and TensorFlow resize alike but for their rounding.
        assert np.abs(images[row] - resized).mean() < 2


def test_images_are_at_their_rows_whatever_the_order_of_manifest_and_shards(
    store, coloured_folder, tmp_path, monkeypatch
):
    whole = decode(store, push(store, coloured_folder, name="whole"), tmp_path / "shards")
    monkeypatch.setattr(curation, "SHARD_IMAGES", 40)
    info = push(store, coloured_folder, name="sharded")
    assert len(info.shards) == 3
    np.testing.assert_array_equal(decode(store, info, tmp_path / "shards"), whole)
    manifest = read_manifest(store, info).sample(frac=1, random_state=0)
    images = np.zeros_like(whole)
    for rows, batch in decoded_batches(store, info, manifest, 20, tmp_path / "shards"):
        images[rows] = batch
    np.testing.assert_array_equal(images, whole[manifest.index])


def test_a_damaged_shard_is_refused(store, coloured, tmp_path):
    shard = store.root / artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(CorruptObjectError, match="has the SHA-256"):
        decode(store, coloured, tmp_path / "shards")


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
        decode(store, info, tmp_path / "shards")
