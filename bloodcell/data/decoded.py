"""Images decoded and resized: what decides the pixels that every experiment sees."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from bloodcell import artifacts
from bloodcell.data.dataset import DatasetInfo
from bloodcell.errors import CorruptObjectError, ImageError
from bloodcell.files import sha256_of
from bloodcell.settings import cpus
from bloodcell.store import Store

Images = npt.NDArray[np.uint8]

_BATCH = 64


def decoded_batches(
    store: Store, info: DatasetInfo, manifest: pd.DataFrame, side: int, folder: Path
) -> Iterator[tuple[npt.NDArray[np.int64], Images]]:
    """All images of a dataset version, resized to a square (bilinear, antialiased, aspect ratio not kept).

    All cores decode, however many this process computes with: the experiments that need the images wait for them.

    Args:
        store: Where the shards lie.
        info: The dataset version.
        manifest: Its manifest.
        side: Side of the square, in pixels.
        folder: Takes one shard at a time.

    Yields:
        Row numbers of the manifest, of shape (n,), and the images there: uint8 of shape (n, side, side, 3), RGB.

    Raises:
        CorruptObjectError: A shard's bytes are not those that the dataset records.
        ImageError: An image cannot be decoded.
    """
    # A shard holds its records in the order of their positions, the manifest its rows in that of the hashes.
    places = manifest.reset_index(drop=True).sort_values(["shard", "position"])
    rows_by_shard = {number: rows.index.to_numpy() for number, rows in places.groupby("shard")}
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = cpus()
    for number, (shard, digest) in enumerate(info.shards.items()):
        path = _fetch_shard(store, info, shard, digest, folder)
        rows, start = rows_by_shard[number], 0
        records = tf.data.TFRecordDataset(str(path))
        batches = records.map(lambda data: _decode(data, side), num_parallel_calls=cpus()).batch(_BATCH)
        try:
            for batch in batches.prefetch(1).with_options(options).as_numpy_iterator():
                yield rows[start : start + len(batch)], batch
                start += len(batch)
        except tf.errors.InvalidArgumentError as error:
            bad = rows[start + _first_undecodable(records.skip(start), side)]
            raise ImageError(
                f"{manifest['path'].iloc[bad]} in {info.name}@{info.version} cannot be decoded: {error.message}",
                remedy="remove that image from the archive and push the dataset again",
            ) from error
        path.unlink()


def write_images(file: IO[bytes], batches: Iterable[tuple[npt.NDArray[np.int64], Images]]) -> None:
    """Write images where the file stands, each at its row, and have them on disk before the file gets its name.

    Not through a mapping, whose pages would count as this process's memory.

    Args:
        file: Open for writing.
        batches: As from `decoded_batches`.
    """
    start = file.tell()
    for rows, batch in batches:
        for row, image in zip(rows, batch, strict=True):
            file.seek(start + int(row) * image.nbytes)
            file.write(image.data)
    file.flush()
    os.fsync(file.fileno())


def decoder() -> str:
    """Name of what decides the pixels: this module and TensorFlow's version."""
    return hashlib.sha256(Path(__file__).read_bytes() + tf.__version__.encode()).hexdigest()[:8]


def _first_undecodable(records: tf.data.Dataset, side: int) -> int:
    """Number of the first record that fails, found one by one where a batch tells only that one of its own did."""

    def is_bad(data: tf.Tensor) -> bool:
        try:
            _decode(data, side)
        except tf.errors.InvalidArgumentError:
            return True
        return False

    return next(number for number, data in enumerate(records) if is_bad(data))


def _fetch_shard(store: Store, info: DatasetInfo, shard: str, digest: str, folder: Path) -> Path:
    path = folder / Path(shard).name
    name = artifacts.dataset(info.name, info.version, shard)
    store.download(name, path)
    received = sha256_of(path)
    if received != digest:
        raise CorruptObjectError(
            f"{name} in {store.url} has the SHA-256 {received}, not {digest}",
            remedy="delete that version's folder and push the dataset again",
        )
    return path


def _decode(data: tf.Tensor, side: int) -> tf.Tensor:
    image = tf.io.decode_image(data, channels=3, expand_animations=False)
    image = tf.image.resize(image, (side, side), antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
