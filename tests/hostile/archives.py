"""Archives that would leave their folder, fill the disk or the memory, or mislead."""

import os
import stat
import zipfile
from pathlib import Path

from bloodcell.errors import ArchiveError, DatasetError, ImageError
from tests.hostile.case import Case
from tests.hostile.giving import GOOD, GREEN, RED, changed_zip, described, file, member, pushed, zipped

_CENTRAL = b"PK\x01\x02"


def _with_a_link(folder: Path) -> str:
    _unpacked(folder)
    (folder / "images/A/link.jpg").symlink_to("/etc/passwd")
    return described(pushed(folder, folder / "images"))


def _with_a_pipe(folder: Path) -> str:
    _unpacked(folder)
    os.mkfifo(folder / "images/A/pipe.jpg")
    return described(pushed(folder, folder / "images"))


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "images.zip")
    return described(pushed(folder, folder / "images.zip"))


def _unpacked(folder: Path) -> None:
    with zipfile.ZipFile(zipped(folder, {})) as archive:
        archive.extractall(folder / "images")


def _twice(folder: Path) -> str:
    return described(pushed(folder, zipped(folder, {"./A/red.png": GREEN})))


def _declares(size: int) -> bytes:
    return size.to_bytes(4, "little")


def _bomb(data: bytes) -> bytes:
    """The first member declares 4 GB."""
    size = data.index(_CENTRAL) + 24
    return data[:size] + _declares(2**32 - 2) + data[size + 4 :]


def _understated(data: bytes) -> bytes:
    """The members declare a byte less than they have."""
    true = _declares(len(GOOD["A/red.png"]))
    return data.replace(true, _declares(len(GOOD["A/red.png"]) - 1))


def _encrypted(data: bytes) -> bytes:
    flags = data.index(_CENTRAL) + 8
    return data[:flags] + b"\x01" + data[flags + 1 :]


def _unusual(folder: Path) -> str:
    return described(pushed(folder, zipped(folder, {}, zipfile.ZIP_BZIP2)))


ARCHIVES = (
    Case("a member named `../../evil.jpg`", member("../../evil.jpg"), "without `..`", ArchiveError),
    Case("a member named `/etc/cron.d/x.jpg`", member("/etc/cron.d/x.jpg"), "relative paths", ArchiveError),
    Case("a member named `C:\\x.jpg`", member("C:\\x.jpg"), "'C:\\\\x.jpg'", ArchiveError),
    Case(
        "a symbolic link in a zip file",
        member("A/link.jpg", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16),
        "is a symbolic link",
        ArchiveError,
    ),
    Case("a symbolic link in a folder", _with_a_link, "A/link.jpg in images is a symbolic link", ArchiveError),
    Case("a pipe in a folder, which nobody writes to", _with_a_pipe, "A/pipe.jpg", ArchiveError),
    Case("a pipe in the place of a zip file", _pipe, "a device, a pipe or a socket", ArchiveError),
    Case("`/dev/zero`", lambda folder: described(pushed(folder, Path("/dev/zero"))), "a device, a pipe", ArchiveError),
    Case("a zip bomb: a member of 4 GB in 2 kB", changed_zip(_bomb), "would unpack to 4,29", ArchiveError),
    Case("members with more bytes than they declare", changed_zip(_understated), "Bad CRC-32", ImageError),
    Case("two members of one name, one written `./A/red.png`", _twice, "two members named A/red.png", ArchiveError),
    Case("an encrypted member", changed_zip(_encrypted), "is encrypted", ArchiveError),
    Case("a compression that is not common", _unusual, "compressed by method 12", ArchiveError),
    Case("a zip file that was cut short", changed_zip(lambda data: data[:-30]), "no readable zip", ArchiveError),
    Case("no zip file at all", file(b"#!/bin/sh\nrm -rf ~\n"), "no readable zip", ArchiveError),
    Case("a class named by a terminal sequence", member("\x1b]0;owned\x07/x.jpg"), "control characters", DatasetError),
    Case("a file name with a line break", member("A/x\nRemedy: run this.jpg"), "line breaks", DatasetError),
    Case(
        "a file name with a terminal sequence",
        member("A/\x1b[31mred.png", RED),
        "A/?[31mred.png",
        taken="taken; the sequence is shown as text",
    ),
    Case(
        "files that macOS adds, no images in spite of their suffix",
        member("__MACOSX/A/._red.png"),
        "left out __MACOSX",
        taken="left out, and listed",
    ),
    Case("one image in two classes", member("B/red.png", RED), "the same image under two", DatasetError),
    Case("a `sources.csv` of null bytes", member("sources.csv", bytes(8)), "accepted are path, source", DatasetError),
    Case("a `sources.csv` that is a picture", member("sources.csv", RED), "is no CSV table", DatasetError),
    Case(
        "a `sources.csv` in which one cell has two classes",
        member("sources.csv", b"path,source\nA/red.png,1\nB/blue.png,1\n"),
        "images of two classes",
        DatasetError,
    ),
)
