"""What a store can do. Small on purpose: whole objects by name, and a listing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Objects by name, written whole or not at all.

    Names are relative POSIX paths (`experiments/<key>/result.json`). Every method may raise
    StoragePermissionError, StorageFullError or TransientError besides what it names.
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
        """

    def write(self, name: str, data: bytes) -> None:
        """Write the object; a reader sees the old bytes or the new, never a part."""

    def upload(self, source: Path, name: str) -> None:
        """Write the object from a file, for objects too large for memory."""

    def download(self, name: str, target: Path) -> None:
        """Write the object to a file that appears whole.

        Raises:
            ObjectNotFoundError: There is no such object.
        """

    def list(self, prefix: str) -> Iterator[str]:
        """Names of the objects that start with `prefix`, which ends in `/`, in lexical order."""
