"""Objects as files below a folder."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from bloodcell.errors import (
    BloodcellError,
    DataError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
)

_TEMPORARY = ".part-"


class LocalStore:
    """A store in a folder, created at the first write.

    Args:
        root: The folder; made absolute, so that a later change of the working folder does not move the store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def url(self) -> str:
        """`file://` and the absolute path."""
        return f"file://{self.root}"

    def exists(self, name: str) -> bool:
        """Whether the object is there."""
        with translated(name, self.url):
            return self._path(name).is_file()

    def read(self, name: str) -> bytes:
        """The object's bytes."""
        with translated(name, self.url):
            return self._path(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write the object through a temporary file, so that it appears whole."""
        with self._replacing(name) as file:
            file.write(data)

    def upload(self, source: Path, name: str) -> None:
        """Copy a file in."""
        with self._replacing(name) as file, source.open("rb") as original:
            shutil.copyfileobj(original, file)

    def download(self, name: str, target: Path) -> None:
        """Copy an object out."""
        with translated(name, self.url):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as file, self._path(name).open("rb") as original:
                shutil.copyfileobj(original, file)

    def list(self, prefix: str) -> Iterator[str]:
        """Names below `prefix`, in lexical order."""
        with translated(prefix, self.url):
            files = [path for path in self._path(prefix).rglob("*") if path.is_file()]
        yield from sorted(
            path.relative_to(self.root).as_posix() for path in files if not path.name.startswith(_TEMPORARY)
        )

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise DataError(
                f"object name is {name!r}; accepted are relative paths without `..`", remedy="correct the name"
            )
        return self.root.joinpath(*parts)

    @contextmanager
    def _replacing(self, name: str) -> Iterator[IO[bytes]]:
        path = self._path(name)
        with translated(name, self.url):
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                yield file


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes `path`'s place when the block ends, and is gone if it fails.

    The bytes are on disk before the name is, so that a power cut cannot leave a name without its bytes.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_TEMPORARY, delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise


@contextmanager
def translated(name: str, place: str) -> Iterator[None]:
    """Turn the operating system's errors into the project's, with the object's name and the remedy."""
    try:
        yield
    except OSError as error:
        raise _translation(error, name, place) from error


def _translation(error: OSError, name: str, place: str) -> BloodcellError:
    reason = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT:
            return ObjectNotFoundError(f"{place} holds no {name}", remedy="check the name, or BLOODCELL_STORE")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return StoragePermissionError(
                f"no permission for {name} in {place}: {reason}",
                remedy="give this user access to the folder, or set BLOODCELL_STORE to one it may write",
            )
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return StorageFullError(
                f"no space left for {name} in {place}: {reason}",
                remedy="free space there and run again (finished experiments are kept), or set BLOODCELL_STORE",
            )
        case _:
            return StorageError(
                f"cannot use {name} in {place}: {reason}", remedy="check that BLOODCELL_STORE is a folder"
            )
