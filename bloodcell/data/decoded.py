"""Images decoded and resized once for a machine, as one memory-mapped array for all its experiments."""

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
from bloodcell.files import sha256_of, storage_errors, whole_file
from bloodcell.store import Store

Images = npt.NDArray[np.uint8]

_BATCH = 64


def decoded_images(
    store: Store,
    info: DatasetInfo,
    manifest: pd.DataFrame,
    side: int,
    *,
    cache: Path,
    on_miss: Callable[[], None],
) -> Images:
    """All images of a dataset version, resized to a square (bilinear, antialiased, aspect ratio not kept).

    Args:
        store: Where the shards lie.
        info: The dataset version.
        manifest: Its manifest.
        side: Side of the square, in pixels.
        cache: Folder for the decoded array. A damaged one is decoded anew.
        on_miss: Called when the images must be decoded first.

    Returns:
        uint8 array of shape (images, side, side, 3), RGB, in manifest order, mapped read-only.

    Raises:
        CorruptObjectError: A shard's bytes are not those that the dataset records.
        ImageError: An image cannot be decoded.
        StorageError: The cache cannot be written.
    """
    shape = (len(manifest), side, side, 3)
    path = cache / "images" / f"{info.version}-{side}-{_decoder()}.npy"
    with storage_errors(path.name, str(path.parent), "BLOODCELL_CACHE"):
        images = _mapped(path, shape)
        if images is None:
            on_miss()
            with whole_file(path) as temporary:
                _decode_into(temporary, shape, store, info, manifest)
            images = np.load(path, mmap_mode="r")
    return images


def _decoder() -> str:
    """Name of what decides the pixels: this module and TensorFlow's version."""
    return hashlib.sha256(Path(__file__).read_bytes() + tf.__version__.encode()).hexdigest()[:8]


def _mapped(path: Path, shape: tuple[int, ...]) -> Images | None:
    """The cached array, or None where there is none that is whole."""
    try:
        images: Images = np.load(path, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return images if images.shape == shape and images.dtype == np.uint8 else None


def _decode_into(
    path: Path, shape: tuple[int, int, int, int], store: Store, info: DatasetInfo, manifest: pd.DataFrame
) -> None:
    side = shape[1]
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            # Claims the space now: writing to a mapped page on a full disk would kill the process instead.
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    # Shards hold their records in the order of (shard, position), the array in that of the manifest.
    places = manifest.reset_index(drop=True).sort_values(["shard", "position"]).index.to_numpy()
    start = 0
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        shards = [_fetch_shard(store, info, shard, digest, Path(folder)) for shard, digest in info.shards.items()]
        records = tf.data.TFRecordDataset(shards)
        batches = records.map(lambda data: _decode(data, side), num_parallel_calls=tf.data.AUTOTUNE).batch(_BATCH)
        try:
            for batch in batches.as_numpy_iterator():
                images[places[start : start + len(batch)]] = batch
                start += len(batch)
        except tf.errors.InvalidArgumentError as error:
            bad = places[start + _first_undecodable(records.skip(start), side)]
            raise ImageError(
                f"{manifest['path'].iloc[bad]} in {info.name}@{info.version} cannot be decoded: {error.message}",
                remedy="remove that image from the archive and push the dataset again",
            ) from error
    images.flush()


def _first_undecodable(records: tf.data.Dataset, side: int) -> int:
    """Number of the first record that fails, found one by one where a batch tells only that one of its own did."""

    def is_bad(data: tf.Tensor) -> bool:
        try:
            _decode(data, side)
        except tf.errors.InvalidArgumentError:
            return True
        return False

    return next(number for number, data in enumerate(records) if is_bad(data))


def _fetch_shard(store: Store, info: DatasetInfo, shard: str, digest: str, folder: Path) -> str:
    path = folder / Path(shard).name
    name = artifacts.dataset(info.name, info.version, shard)
    store.download(name, path)
    received = sha256_of(path)
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
