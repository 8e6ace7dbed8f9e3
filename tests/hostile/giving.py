"""How files reach the suite."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from bloodcell.data.archive import open_archive
from bloodcell.data.dataset import DatasetInfo
from bloodcell.data.ingest import push
from bloodcell.data.layout import read_layout
from bloodcell.errors import ArchiveError, DatasetError
from bloodcell.grids import load_grid
from bloodcell.store import LocalStore
from tests.hostile.fuzzing import only

Files = Mapping[str, bytes]


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file that declares that size and holds these chunks."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (header, *chunks, (b"IEND", b""))
    )


def one_colour(red: int, green: int, blue: int) -> bytes:
    """A PNG file of 16 x 16 px that every machine writes with the same bytes."""
    line = b"\0" + bytes((red, green, blue)) * 16
    return png(16, 16, (b"IDAT", zlib.compress(line * 16, level=0)))


RED, GREEN, BLUE = one_colour(255, 0, 0), one_colour(0, 255, 0), one_colour(0, 0, 255)
GOOD: Files = {"A/red.png": RED, "B/blue.png": BLUE}
"""The smallest set of images that is accepted."""


def zipped(folder: Path, members: Mapping[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """A zip file of the good images and these members; stored, so that its size is the same everywhere."""
    path = folder / "images.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in {**GOOD, **members}.items():
            archive.writestr(name, data)
    return path


def read_whole(path: Path) -> None:
    """Read an archive's layout and the bytes of each file; both may refuse."""
    with only(ArchiveError, DatasetError), open_archive(path) as opened:
        read_layout(opened.files, opened.folders)
        for name in opened.files:
            assert not Path(name).is_absolute()
            assert ".." not in Path(name).parts
            with only(ArchiveError):
                opened.read(name)


def pushed(folder: Path, source: Path) -> DatasetInfo:
    return push(LocalStore(folder / "store"), source, name="cells")


def member(name: str, data: bytes = GREEN, **fields: int) -> Callable[[Path], str]:
    """Pushes a zip file that holds one more member, of that name and with these fields of its header."""

    def give(folder: Path) -> str:
        info = zipfile.ZipInfo(name)
        for field, value in fields.items():
            setattr(info, field, value)
        return described(pushed(folder, zipped(folder, {info: data})))

    return give


def changed_zip(change: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    """Pushes a zip file of the good images whose bytes are changed."""

    def give(folder: Path) -> str:
        path = zipped(folder, {})
        path.write_bytes(change(path.read_bytes()))
        return described(pushed(folder, path))

    return give


def file(data: bytes, name: str = "images.zip") -> Callable[[Path], str]:
    """Pushes a file that holds these bytes."""

    def give(folder: Path) -> str:
        (folder / name).write_bytes(data)
        return described(pushed(folder, folder / name))

    return give


def described(info: DatasetInfo) -> str:
    """What `bloodcell data push` prints, in short."""
    from bloodcell.cli.data import _description

    lines = _description(info).partition(": ")[2].splitlines()
    return "\n".join(line for line in lines if not line.startswith("  source cells"))


def grid(text: str | bytes, name: str = "grid.yaml") -> Callable[[Path], str]:
    """Reads a grid file."""

    def give(folder: Path) -> str:
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_grid(str(folder / name)).model_dump_json(exclude_defaults=True)

    return give
