"""Objects as files below a folder."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bloodcell.files import TEMPORARY, storage_errors, whole_file
from bloodcell.store.base import WEEK, parts_of


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
        with self._reading(name):
            return self._path(name).is_file()

    def read(self, name: str) -> bytes:
        """The object's bytes."""
        with self._reading(name):
            return self._path(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write the object through a temporary file, so that it appears whole."""
        with self._writing(name) as path:
            path.write_bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        """Write the object unless it is there."""
        target = self._path(name)
        with storage_errors(name, self.url, "BLOODCELL_STORE"):
            try:
                with whole_file(target, replace=False) as path:
                    path.write_bytes(data)
            except FileExistsError:
                if not target.is_file():  # it is a folder, or a folder above it is a file
                    raise
                return False
        return True

    def upload(self, source: Path, name: str) -> None:
        """Copy a file in."""
        with storage_errors(source.name, str(source.parent), "BLOODCELL_CACHE"):
            original = source.open("rb")
        with original, self._writing(name) as path, path.open("wb") as file:
            shutil.copyfileobj(original, file)

    def download(self, name: str, target: Path) -> None:
        """Copy an object out."""
        with self._reading(name):
            original = self._path(name).open("rb")
        with (
            original,
            storage_errors(target.name, str(target.parent), "BLOODCELL_CACHE"),
            whole_file(target) as path,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(original, file)

    def delete(self, name: str) -> None:
        """Remove the file."""
        with storage_errors(name, self.url, "BLOODCELL_STORE"):
            self._path(name).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        """Names below `prefix`, in lexical order."""
        with self._reading(prefix):
            files = [path for path in self._path(prefix).rglob("*") if path.is_file()]
        yield from sorted(
            path.relative_to(self.root).as_posix() for path in files if not path.name.startswith(TEMPORARY)
        )

    def link(self, name: str, *, lasting: timedelta = WEEK) -> str:  # noqa: ARG002 - a file's URL does not expire
        """The file's URL."""
        return self._path(name).as_uri()

    def _path(self, name: str) -> Path:
        return self.root.joinpath(*parts_of(name))

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        with storage_errors(name, self.url, "BLOODCELL_STORE", reading=True):
            yield

    @contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        target = self._path(name)
        with storage_errors(name, self.url, "BLOODCELL_STORE"), whole_file(target) as path:
            yield path
