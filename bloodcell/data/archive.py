"""A zip file or a folder, read the same way: a list of files and their bytes, one at a time.

Nothing is extracted to disk. Archives come from elsewhere, so what could harm the reader is refused:
names that leave the archive, symbolic links, sizes out of proportion, members that cannot be told apart.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from bloodcell.errors import ArchiveError

MAX_FILE_BYTES = 64 * 2**20
"""Largest file that `read` returns."""

MAX_TOTAL_BYTES = 256 * 2**30
"""Largest sum of a zip's uncompressed sizes."""

MAX_RATIO = 100
"""Largest ratio of that sum to the zip file's own size; images, compressed already, stay near 1."""

_COMPRESSIONS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Archive:
    """An open archive.

    Attributes:
        origin: Name of the zip file or folder.
        files: Relative POSIX paths of the files, sorted.
        folders: Those of the folders that the archive lists by themselves, empty ones included, sorted.
    """

    origin: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    _open: Callable[[str], IO[bytes]]

    def read(self, path: str) -> bytes:
        """The bytes of a file; safe to call from several threads.

        Raises:
            ArchiveError: The file is damaged, larger than it declares, or larger than MAX_FILE_BYTES.
        """
        try:
            with self._open(path) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
            raise ArchiveError(
                f"{path} in {self.origin} cannot be read: {error}", remedy="copy or download the archive again"
            ) from error
        if len(data) > MAX_FILE_BYTES:
            raise ArchiveError(
                f"{path} in {self.origin} is larger than the {MAX_FILE_BYTES:,} bytes accepted of one file",
                remedy="remove it from the archive",
            )
        return data


@contextmanager
def open_archive(source: Path) -> Iterator[Archive]:
    """Open a zip file or a folder for reading.

    Args:
        source: Path of the zip file or folder.

    Raises:
        ArchiveError: It is neither, or it is not safe to read.
    """
    try:
        mode = source.stat().st_mode
        is_folder = stat.S_ISDIR(mode)
        if not (is_folder or stat.S_ISREG(mode)):  # it may have no end, or never begin
            raise ArchiveError(
                f"{source} is a device, a pipe or a socket; accepted is a zip file or a folder",
                remedy="write what it gives into a file, and give that",
            )
        origin = source.resolve(strict=True).name
        archive = None if is_folder else zipfile.ZipFile(source)
    except FileNotFoundError as error:
        raise ArchiveError(
            f"{source} does not exist; accepted is a zip file or a folder", remedy="correct the path"
        ) from error
    except PermissionError as error:
        raise ArchiveError(f"{source} may not be read by this user", remedy="give this user access to it") from error
    except (OSError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ArchiveError(
            f"{source} is no readable zip file: {error}",
            remedy="give a zip file or a folder; if it should be a zip file, download it again",
        ) from error
    if archive is None:
        yield _folder(source, origin)
        return
    with archive:
        yield _zip(archive, source.stat().st_size, origin)


def _zip(archive: zipfile.ZipFile, size: int, origin: str) -> Archive:
    members = archive.infolist()
    _check_sizes(members, size, origin)
    by_path: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        path = _checked_path(member.orig_filename, origin)
        _check_member(member, origin)
        if path in by_path:
            raise ArchiveError(
                f"{origin} holds two members named {path}", remedy="make the archive again, each file once"
            )
        by_path[path] = member
    return Archive(
        origin,
        tuple(sorted(path for path, member in by_path.items() if not member.is_dir())),
        tuple(sorted(path for path, member in by_path.items() if member.is_dir())),
        lambda path: archive.open(by_path[path]),
    )


def _folder(root: Path, origin: str) -> Archive:
    paths: dict[bool, list[str]] = {False: [], True: []}
    for path in _walk(root, origin):
        relative = _checked_path(path.relative_to(root).as_posix(), origin)
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise _special_file(relative, origin)
        paths[stat.S_ISDIR(mode)].append(relative)
    return Archive(
        origin, tuple(sorted(paths[False])), tuple(sorted(paths[True])), lambda path: (root / path).open("rb")
    )


def _walk(root: Path, origin: str) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ArchiveError(
            f"a folder in {origin} cannot be read: {error}", remedy="give this user access to it"
        ) from error

    for folder, folders, files in os.walk(root, onerror=refuse, followlinks=False):
        yield from (Path(folder, name) for name in [*folders, *files])


def _check_sizes(members: Iterable[zipfile.ZipInfo], size: int, origin: str) -> None:
    """Refuse a zip bomb by what it declares; overlapping members count each time, as they would when read."""
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES or total > MAX_RATIO * size:
        raise ArchiveError(
            f"{origin} has {size:,} bytes and would unpack to {total:,}; accepted are up to {MAX_TOTAL_BYTES:,} bytes "
            f"and {MAX_RATIO} times its size",
            remedy="unpack it yourself if you trust it, and give the folder",
        )


def _check_member(member: zipfile.ZipInfo, origin: str) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{member.filename} in {origin} is encrypted", remedy="give an archive without a password")
    if member.compress_type not in _COMPRESSIONS:
        raise ArchiveError(
            f"{member.filename} in {origin} is compressed by method {member.compress_type}; accepted are "
            f"{' and '.join(_COMPRESSIONS.values())}",
            remedy="make the archive again with a common zip program, or unpack it and give the folder",
        )
    # The upper half holds the Unix mode, or zero where the archive was made on another system.
    if stat.S_IFMT(mode := member.external_attr >> 16) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _special_file(member.filename, origin)


def _special_file(path: str, origin: str) -> ArchiveError:
    return ArchiveError(
        f"{path} in {origin} is a symbolic link or a device; accepted are plain files and folders",
        remedy="replace it by a copy of the file it stands for (`cp -rL`), or remove it",
    )


def _checked_path(name: str, origin: str) -> str:
    """The member's name as a relative POSIX path.

    Raises:
        ArchiveError: It is absolute, names a drive, climbs by `..`, or is no text.
    """
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts
    windows = "\\" in name or bool(PureWindowsPath(name).drive)
    is_text = not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in name)
    if not name or leaves or windows or not is_text:
        raise ArchiveError(
            f"{origin} holds a member named {name!r}; accepted are relative paths with `/`, without `..`",
            remedy="rename it and make the archive again, and do not unpack an archive you do not trust",
        )
    return path.as_posix()
