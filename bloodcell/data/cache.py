"""The decoded images of a machine: decoded by the first experiment that needs them, mapped by all, bounded in size.

    images/<dataset version>-<side>-<decoder>.npy   an array; who maps it holds a shared lock on it
    images/<the same>.lock                          held while it is decoded
    images/room.lock                                held for the moment in which room is made, or an array named
    scratch/                                        arrays, shards and reports in the making

Locks are those of flock(2), which the kernel releases when a process ends, however it ends. They hold within a
host, its containers on one Docker volume included, but not between hosts: the folder belongs on a local disk, not
on NFS. Nothing here decides what an experiment computes.
"""

import fcntl
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pandas as pd

from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.decoded import Images, decoded_batches, decoder, write_images
from bloodcell.events import NowAndThen
from bloodcell.files import exclusive, scratch, storage_errors, try_lock
from bloodcell.store import Store

_ARRAY = "array.npy"

Batch = tuple[npt.NDArray[np.int64], Images]
"""Numbers of images, and the images."""


def decoded_images(
    store: Store,
    info: DatasetInfo,
    manifest: pd.DataFrame,
    side: int,
    *,
    cache: Path,
    limit: int,
    say: Callable[[str], None],
) -> Images:
    """All images of a dataset version as squares, decoded now unless the machine has them.

    Args:
        store: Where the shards lie.
        info: The dataset version.
        manifest: Its manifest.
        side: Side of the square, in pixels.
        cache: Folder of the cache. A damaged array there is decoded anew.
        limit: Bytes that all arrays together may take: those longest unused go first, and those in use stay.
        say: Called with a sentence before what may take a while.

    Returns:
        uint8 array of shape (images, side, side, 3), RGB, in manifest order, mapped read-only; it stays in the cache
        for as long as it is mapped.

    Raises:
        CorruptObjectError: A shard's bytes are not those that the dataset records.
        ImageError: An image cannot be decoded.
        StorageError: The cache cannot be written.
    """
    shape = (len(manifest), side, side, 3)
    path = cache / "images" / f"{info.version}-{side}-{decoder()}.npy"
    size = f"{shape[0]:,} images to {side} x {side} px"

    def on_wait() -> None:
        say(f"waiting for another experiment, which decodes {size}")

    with storage_errors(path.name, str(path.parent), "BLOODCELL_CACHE"):
        if (images := _cached(path, shape)) is not None:
            return images
        with exclusive(path.with_suffix(".lock"), on_wait), scratch(cache / "scratch") as folder:
            if (images := _cached(path, shape)) is not None:
                return images
            say(f"decoding {size}, once for this machine")
            with _room(cache):
                path.unlink(missing_ok=True)  # damaged, where there is one
            with (folder / _ARRAY).open("xb+") as file:
                _reserve(file, shape, cache, limit, say)
                write_images(file, _told(decoded_batches(store, info, manifest, side, folder), len(manifest), say))
                images = _map(file)  # before it has the name by which it might be evicted
            with _room(cache):
                (folder / _ARRAY).replace(path)
            return images


def _told(batches: Iterator[Batch], images: int, say: Callable[[str], None]) -> Iterator[Batch]:
    """The batches, and now and then a word on how many images there have been."""
    done, alive = 0, NowAndThen()
    for batch in batches:
        yield batch
        done += len(batch[0])
        if alive.is_due():
            say(f"decoded {done:,} of {images:,} images")


def _room(cache: Path) -> AbstractContextManager[None]:
    """Held while arrays get or lose their names, so that who makes room counts each of them once."""
    return exclusive(cache / "images" / "room.lock")


def _cached(path: Path, shape: tuple[int, ...]) -> Images | None:
    """The array in the cache, or None where there is none that is whole."""
    try:
        with path.open("rb") as file:
            images = _map(file)
    except (FileNotFoundError, ValueError):
        return None
    if images.shape != shape or images.dtype != np.uint8 or not path.exists():  # it was evicted before it was locked
        return None
    # Evicted and decoded anew meanwhile, or another user's file: this mapping is good all the same.
    with suppress(FileNotFoundError, PermissionError):
        os.utime(path)  # its last use, however the disk is mounted
    return images


def _map(file: IO[bytes]) -> Images:
    """Map an array that is not to be evicted as long as the mapping lives.

    Raises:
        ValueError: The file holds no whole array.
    """
    fcntl.flock(file, fcntl.LOCK_SH)  # of the open file, of which mmap keeps a duplicate
    file.seek(0)
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return np.memmap(file, dtype, mode="r", offset=file.tell(), shape=shape)


def _reserve(file: IO[bytes], shape: tuple[int, ...], cache: Path, limit: int, say: Callable[[str], None]) -> None:
    """Make room for an array, and give its file the header and the size."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    size = file.tell() + math.prod(shape)
    with _room(cache):  # so that of two arrays in the making each counts the other
        held = make_room(cache, size, limit)
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is better known now than halfway
    if held > limit:
        say(
            f"the decoded images in use take {held / 1e9:.1f} GB of the cache, more than its limit of "
            f"{limit / 1e9:.1f} GB; raise BLOODCELL_CACHE_LIMIT if the disk has room"
        )


def make_room(cache: Path, wanted: int, limit: int) -> int:
    """Remove arrays that no process has mapped, the longest unused first, until so many bytes more are within a limit.

    The limit is the disk's where that has less room.

    Args:
        cache: Folder of the cache.
        wanted: Bytes that are to be added.
        limit: Bytes that all arrays may take, those in the making included.

    Returns:
        Bytes that they take with those added: more than the limit where the arrays in use leave too little.
    """
    stats = {path: path.stat() for path in (cache / "images").glob("*.npy")}
    making = sum(map(_size, (cache / "scratch").glob(f"*/{_ARRAY}")))
    held = wanted + making + sum(stat.st_size for stat in stats.values())
    limit = min(limit, held - wanted + shutil.disk_usage(cache).free)
    for path in sorted(stats, key=lambda path: stats[path].st_mtime_ns):
        if held <= limit:
            break
        with path.open("rb") as file:
            if try_lock(file.fileno(), fcntl.LOCK_EX):
                path.unlink()
                held -= stats[path].st_size
    return held


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # its decoding has just failed
        return 0
