"""The files of a report while it is made: on disk, as a hundred rows have a hundred megabytes of pictures."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from bloodcell.files import storage_errors


class Files(Protocol):
    """Bytes by name."""

    def __getitem__(self, name: str, /) -> bytes: ...

    def __setitem__(self, name: str, data: bytes, /) -> None: ...

    def __contains__(self, name: object, /) -> bool: ...


class Folder(Mapping[str, bytes]):
    """Files by name, in the order in which they were first written; in memory only for whoever asks for one.

    What the operating system refuses is a StorageError, StoragePermissionError or StorageFullError; a file that is gone
    an ObjectNotFoundError.

    Args:
        root: Made if need be, in a folder that is there: what is written after that is gone does not bring it back.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, None] = {}
        with storage_errors("a report in the making", str(root), "BLOODCELL_CACHE"):
            root.mkdir(exist_ok=True)

    def path(self, name: str) -> Path:
        """Where the file of that name is."""
        return self._root / name

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Write a file that need not be in memory as a whole; its name has one folder at most."""
        with storage_errors(name, str(self._root), "BLOODCELL_CACHE"):
            if (parent := self.path(name).parent) != self._root:
                parent.mkdir(exist_ok=True)
            with self.path(name).open("wb") as file:
                file.writelines(parts)
        self._names[name] = None

    def __setitem__(self, name: str, data: bytes) -> None:
        self.put(name, [data])

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        with storage_errors(name, str(self._root), "BLOODCELL_CACHE", reading=True):
            return self.path(name).read_bytes()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
