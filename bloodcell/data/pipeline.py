"""From shards to batches: decode and resize once for a host, then feed any number of trainings.

Decoded images lie in the cache as one uint8 array a (dataset version, side), memory-mapped, so that the
experiments of a host share its pages. What remains for a training is a copy of a batch.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from bloodcell import artifacts
from bloodcell.data.dataset import DatasetInfo
from bloodcell.errors import CorruptObjectError, ImageError
from bloodcell.store import Store
from bloodcell.store.local import translated

Images = npt.NDArray[np.uint8]

_DECODE_BATCH = 64


def decoded_images(
    store: Store, info: DatasetInfo, manifest: pd.DataFrame, side: int, *, cache: Path, on_miss: Callable[[], None]
) -> Images:
    """All images of a dataset version, resized to a square (bilinear, antialiased, aspect ratio not kept).

    Args:
        store: Where the shards lie.
        info: The dataset version.
        manifest: Its manifest.
        side: Side of the square, in pixels.
        cache: Folder for the decoded array.
        on_miss: Called when the images must be decoded first.

    Returns:
        uint8 array of shape (images, side, side, 3), RGB, in manifest order, mapped read-only.

    Raises:
        CorruptObjectError: A shard's bytes are not those that the dataset records.
        ImageError: An image cannot be decoded.
    """
    path = cache / "images" / f"{info.version}-{side}.npy"
    if not path.exists():
        on_miss()
        with translated(path.name, str(cache)):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Two experiments may do this at once: each fills a file of its own, and either may win the name.
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".part-")
            os.close(descriptor)
            try:
                _decode_into(Path(temporary), store, info, manifest, side)
                Path(temporary).replace(path)
            finally:
                Path(temporary).unlink(missing_ok=True)
    images: Images = np.load(path, mmap_mode="r")
    return images


def _decode_into(path: Path, store: Store, info: DatasetInfo, manifest: pd.DataFrame, side: int) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        shards = [_fetch_shard(store, info, shard, digest, Path(folder)) for shard, digest in info.shards.items()]
        records = tf.data.TFRecordDataset(shards)
        batches = records.map(lambda data: _decode(data, side), num_parallel_calls=tf.data.AUTOTUNE).batch(
            _DECODE_BATCH
        )
        # Shards hold their records in the order of (shard, position), the array in that of the manifest.
        places = manifest.reset_index(drop=True).sort_values(["shard", "position"]).index.to_numpy()
        images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(manifest), side, side, 3))
        with path.open("r+b") as file:
            # Claims the space now: writing to a mapped page on a full disk would kill the process instead.
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        start = 0
        try:
            for batch in batches.as_numpy_iterator():
                images[places[start : start + len(batch)]] = batch
                start += len(batch)
        except tf.errors.InvalidArgumentError as error:
            raise ImageError(
                f"an image of {info.name}@{info.version} near record {start} cannot be decoded: {error.message}",
                remedy="remove that image from the archive and push the dataset again",
            ) from error
        images.flush()


def _fetch_shard(store: Store, info: DatasetInfo, shard: str, digest: str, folder: Path) -> str:
    path = folder / Path(shard).name
    name = artifacts.dataset(info.name, info.version, shard)
    store.download(name, path)
    with path.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if received != digest:
        raise CorruptObjectError(
            f"{name} in {store.url} has the SHA-256 {received}, not {digest}",
            remedy="delete that version's folder and push the dataset again",
        )
    return str(path)


def _decode(data: tf.Tensor, side: int) -> tf.Tensor:
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    image = tf.image.resize(image, (side, side), antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def training_batches(
    images: Images,
    labels: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    *,
    batch_size: int,
    epochs: int,
    seed: int,
) -> tf.data.Dataset:
    """Batches of all epochs in one dataset, each epoch in an order of its own that (seed, epoch) decides.

    An epoch's order does not depend on the epochs before it, so a training may start at any of them.

    Args:
        images: uint8 of shape (n, side, side, 3).
        labels: Class numbers of shape (n,).
        rows: Which of the n images train.
        batch_size: Images a batch; an epoch's last batch may be smaller.
        epochs: Number of epochs.
        seed: Seed of the order.

    Returns:
        Dataset of (uint8 (batch, side, side, 3), int32 (batch,)).
    """

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.constant(rows), seed=key)
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return _gathered(tf.data.Dataset.range(epochs).flat_map(epoch_order), images, labels)


def evaluation_batches(
    images: Images, labels: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], *, batch_size: int
) -> tf.data.Dataset:
    """Batches of the images in `rows`, in that order, once. Shapes as in `training_batches`."""
    return _gathered(tf.data.Dataset.from_tensor_slices(rows).batch(batch_size), images, labels)


def _gathered(batches: tf.data.Dataset, images: Images, labels: npt.NDArray[np.int32]) -> tf.data.Dataset:
    side = images.shape[1]
    numbers = tf.constant(labels)

    def gather(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(batch, (None, side, side, 3)), tf.gather(numbers, rows)

    return batches.map(gather).prefetch(2)
