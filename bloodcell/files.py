"""Files that appear whole or not at all, and the operating system's errors in the project's words."""

import errno
import fcntl
import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

from bloodcell.errors import (
    BloodcellError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
)
from bloodcell.events import SIGN_OF_LIFE_SECONDS

TEMPORARY = ".part-"
"""Names that start so are files in the making."""

_LOOK_SECONDS = 0.1

Setting = Literal["BLOODCELL_STORE", "BLOODCELL_CACHE", "--to"]


@contextmanager
def whole_file(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A new empty file that takes `path`'s place when the block ends, and is gone if it fails.

    The bytes are on disk before the name is, so that a power cut cannot leave a name without its bytes. Two
    processes may do this at once: either file wins the name.

    Args:
        path: The name it takes.
        replace: Whether it may take the place of another file.

    Raises:
        FileExistsError: It may not, and there is one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{uuid4().hex}"
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)  # less the user's umask
    try:
        yield temporary
        os.fsync(descriptor)
        if replace:
            temporary.replace(path)
        else:
            _take_free_name(temporary, path)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def _take_free_name(temporary: Path, path: Path) -> None:
    """Give the file `path` as a name if no other has it: the file system decides, and so only one process can."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        # A file system without hard links (exFAT, some network shares): the next best thing.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.replace(path)


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Keep other processes of this machine that ask for the same path waiting until the block ends.

    Args:
        path: A file for this purpose alone.
        on_wait: Called before waiting for another process, and again every 15 s.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if on_wait is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _lock_patiently(file.fileno(), on_wait)
        yield


def _lock_patiently(descriptor: int, on_wait: Callable[[], None]) -> None:
    told = -math.inf
    while not try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() - told >= SIGN_OF_LIFE_SECONDS:
            on_wait()
            told = time.monotonic()
        time.sleep(_LOOK_SECONDS)


def try_lock(descriptor: int, operation: int) -> bool:
    """Take a lock that lasts until the file is closed, and so no longer than the process, unless another forbids it."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A new folder below `root` for files in the making, gone when the block ends.

    Its process holds a lock on it. Folders there that nobody holds, because their process was killed, are removed
    first.

    Args:
        root: A folder for this purpose alone.
    """
    root.mkdir(parents=True, exist_ok=True)
    for left in root.iterdir():
        if (descriptor := _hold(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(descriptor)
    while True:
        folder = Path(tempfile.mkdtemp(dir=root))
        if (descriptor := _hold(folder)) is not None:
            break  # or another process took it for abandoned, before it was locked
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _hold(folder: Path) -> int | None:
    """A descriptor that locks the folder, or None where another process holds it or has removed it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):  # it is gone, or another user's
        return None
    if try_lock(descriptor, fcntl.LOCK_EX) and folder.exists():
        return descriptor
    os.close(descriptor)
    return None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def storage_errors(name: str, place: str, setting: Setting, *, reading: bool = False) -> Iterator[None]:
    """Turn the operating system's errors into the project's.

    Args:
        name: The object or file.
        place: Where it is.
        setting: The variable that chose the place, for the remedy.
        reading: Whether a missing file means that there is no such object.
    """
    try:
        yield
    except OSError as error:
        raise _translation(error, name, place, setting, reading=reading) from error


def _translation(error: OSError, name: str, place: str, setting: Setting, *, reading: bool) -> BloodcellError:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR) and reading:
        return ObjectNotFoundError(f"{place} holds no {name}", remedy=f"check the name, or {setting}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoragePermissionError(
            f"no permission for {name} in {place}: {reason}",
            remedy=f"give this user access to the folder, or set {setting} to one it may write",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFullError(
            f"no space left for {name} in {place}: {reason}",
            remedy=f"free space there and run again (finished experiments are kept), or set {setting} to another place",
        )
    return StorageError(
        f"cannot use {name} in {place}: {reason}", remedy=f"check that {setting} names a folder that can be made"
    )
