"""What a store can do. Small on purpose: whole objects by name, and a listing."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Protocol

from bloodcell.errors import DataError

Progress = Callable[[str, int, int], None]
"""Called while an object travels, with its name, the bytes done and the bytes in all; one call at a time, but from
any thread."""

WEEK = timedelta(days=7)
"""The longest that a signed link can last."""

AT_ONCE = 16
"""Objects asked for or written at once: most of the time of a small one is the way there and back."""


class Store(Protocol):
    """Objects by name, written whole or not at all.

    Names are relative POSIX paths (`experiments/<key>/result.json`). Every method is safe to call from several
    threads, and may raise StorageError, StoragePermissionError, StorageFullError or TransientError besides what it
    names.
    """

    @property
    def url(self) -> str:
        """Where the store is, in the form `open_store` takes."""

    def exists(self, name: str) -> bool:
        """Whether the object is there, whole."""

    def read(self, name: str) -> bytes:
        """The object's bytes.

        Raises:
            ObjectNotFoundError: There is no such object.
            CorruptObjectError: The bytes are not those that were written, where the store can tell.
        """

    def write(self, name: str, data: bytes) -> None:
        """Write the object; a reader sees the old bytes or the new, never a part."""

    def create(self, name: str, data: bytes) -> bool:
        """Write the object unless it is there; of several who try at once, one succeeds.

        Returns:
            Whether these bytes were written. The object that is there stays as it is.
        """

    def upload(self, source: Path, name: str) -> None:
        """Write the object from a file, for objects too large for memory."""

    def download(self, name: str, target: Path) -> None:
        """Write the object to a file that appears whole.

        Raises:
            ObjectNotFoundError: There is no such object.
            CorruptObjectError: The bytes are not those that were written, where the store can tell.
        """

    def delete(self, name: str) -> None:
        """Remove the object, if it is there."""

    def list(self, prefix: str) -> Iterator[str]:
        """Names of the objects that start with `prefix`, which ends in `/`, in lexical order."""

    def link(self, name: str, *, lasting: timedelta = WEEK) -> str:
        """A URL that opens the object in a browser. Whoever has it may read the object.

        Args:
            name: The object; whether it is there is not checked.
            lasting: How long a signed link opens it, a week at most; less where the key that signs it is revoked.
        """


def parts_of(name: str) -> tuple[str, ...]:
    """The segments of an object's name.

    Raises:
        DataError: The name is empty, absolute or leaves the store.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise DataError(f"object name is {name!r}; accepted are relative paths without `..`", remedy="correct the name")
    return parts
