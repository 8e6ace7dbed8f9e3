"""The files of a report while it is made: on disk, as a hundred rows have a hundred megabytes of pictures."""

from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path

from bloodcell.files import storage_errors


class Folder(MutableMapping[str, bytes]):
    """Files by name, in the order in which they were first written; in memory only for whoever asks for one.

    What the operating system refuses is a StorageError, StoragePermissionError or StorageFullError.

    Args:
        root: An empty folder, below the cache.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, None] = {}

    def path(self, name: str) -> Path:
        """Where the file of that name is."""
        return self._root / name

    def put(self, name: str, parts: Iterable[bytes]) -> None:
        """Write a file that need not be in memory as a whole."""
        with storage_errors(name, str(self._root), "BLOODCELL_CACHE"):
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            with self.path(name).open("wb") as file:
                file.writelines(parts)
        self._names[name] = None

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        with storage_errors(name, str(self._root), "BLOODCELL_CACHE"):
            return self.path(name).read_bytes()

    def __setitem__(self, name: str, data: bytes) -> None:
        self.put(name, [data])

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        self.path(name).unlink()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
