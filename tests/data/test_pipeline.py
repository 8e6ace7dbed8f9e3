import io
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bloodcell import artifacts
from bloodcell.data import tfrecord
from bloodcell.data.dataset import DatasetInfo, read_manifest
from bloodcell.data.pipeline import decoded_images, evaluation_batches, training_batches
from bloodcell.errors import CorruptObjectError
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
    with shard.open("rb") as file:
        originals = list(tfrecord.decode(file, name=shard.name))
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
    assert [path.name for path in (tmp_path / "cache" / "images").iterdir()] == [f"{coloured.version}-20.npy"]


def test_a_damaged_shard_is_refused_and_leaves_nothing_in_the_cache(store, coloured, tmp_path):
    shard = store.root / artifacts.dataset("coloured", coloured.version, "shards/00000.tfrecord")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    with pytest.raises(CorruptObjectError, match="has the SHA-256"):
        decode(store, coloured, tmp_path / "cache")
    assert list((tmp_path / "cache" / "images").iterdir()) == []


def order(seed: int, epochs: int, size: int = 10, batch_size: int = 4) -> list[list[int]]:
    """The images of each batch, told by their one pixel value."""
    images = np.arange(size, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 3), np.uint8)
    rows = np.arange(size)
    batches = training_batches(
        images, rows.astype(np.int32), rows, batch_size=batch_size, epochs=epochs, seed=seed
    )  # fmt: skip
    found = []
    for pixels, labels in batches.as_numpy_iterator():
        np.testing.assert_array_equal(pixels[:, 0, 0, 0], labels)
        found.append(labels.tolist())
    return found


def test_each_epoch_has_every_image_once_in_an_order_of_its_own():
    batches = order(seed=3, epochs=2)
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    first, second = [*chain(*batches[:3])], [*chain(*batches[3:])]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    assert order(seed=3, epochs=1) == order(seed=3, epochs=2)[:3]
    assert order(seed=3, epochs=1) != order(seed=4, epochs=1)


def test_evaluation_keeps_the_order():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 1, 3), np.uint8)
    batches = evaluation_batches(images, np.arange(5, dtype=np.int32), np.array([3, 1, 4]), batch_size=2)
    assert [labels.tolist() for _, labels in batches.as_numpy_iterator()] == [[3, 1], [4]]
