"""What a path in an archive says about an image: its class, and the split its folder declares.

Two layouts are read, below any folders: `TRAIN|TEST|TEST_SIMPLE/<class>/...` as on Kaggle, and `<class>/...`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from bloodcell.errors import DatasetError
from bloodcell.printable import printable

DECLARED = ("TRAIN", "TEST", "TEST_SIMPLE")
"""Names of the folders that declare a split, in upper or lower case."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
SOURCES_FILE = "sources.csv"
SYNTHETIC_FILE = "SYNTHETIC.md"

Parts = tuple[str, ...]


class ClassFolder(NamedTuple):
    """A folder of images of one class; `declared` is empty where the archive declares no split."""

    declared: str
    label: str


class ImageFile(NamedTuple):
    """An image file, by its path below the root of the set, and the class folder it lies in."""

    path: str
    folder: ClassFolder


@dataclass(frozen=True)
class Layout:
    """How an archive is laid out.

    Attributes:
        root: The folder that holds the whole set, ending in `/`; empty where that is the archive itself.
        images: The images in class folders.
        folders: Every class folder, whether or not it holds images.
        skipped: Every other file but the sidecars, by its path in the archive.
    """

    root: str
    images: tuple[ImageFile, ...]
    folders: frozenset[ClassFolder]
    skipped: tuple[str, ...]


def read_layout(files: Collection[str], folders: Iterable[str]) -> Layout:
    """Find the classes and the declared splits.

    Args:
        files: Paths in the archive.
        folders: Folders that the archive lists by themselves, the only trace of an empty class.

    Raises:
        DatasetError: A folder with images lies beside TRAIN or TEST, where no protocol would use it; or the name of a
            class or image is not accepted.
    """
    images = {path: PurePosixPath(path).parts for path in files if _is_image(PurePosixPath(path))}
    image_folders = {parts[:-1] for parts in images.values()}
    declaring = [folder[:depth] for folder in image_folders if (depth := _declared_depth(folder)) is not None]
    root = _common(declaring) if declaring else _undeclared_root(image_folders)

    def locate(folder: Parts) -> ClassFolder | None:
        """The class folder that holds the folder, or is it."""
        if declaring:
            depth = _declared_depth(folder)
            return None if depth is None else ClassFolder(folder[depth].upper(), folder[depth + 1])
        is_below = folder[: len(root)] == root and len(folder) > len(root)
        return ClassFolder("", folder[len(root)]) if is_below else None

    placed = {path: folder for path, parts in sorted(images.items()) if (folder := locate(parts[:-1]))}
    if declaring:
        _refuse_siblings((parts for path, parts in images.items() if path not in placed), root)
    _check_names(placed)
    listed = {PurePosixPath(path) for path in folders} | {PurePosixPath(path).parent for path in files}
    prefix = "".join(f"{part}/" for part in root)
    return Layout(
        root=prefix,
        images=tuple(ImageFile(path.removeprefix(prefix), folder) for path, folder in placed.items()),
        folders=frozenset(filter(None, (locate(path.parts) for path in listed if not _is_hidden(path.parts)))),
        skipped=tuple(sorted(set(files) - placed.keys() - {prefix + SOURCES_FILE, prefix + SYNTHETIC_FILE})),
    )


def _check_names(placed: Mapping[str, ClassFolder]) -> None:
    """Refuse what could pass for other text: classes are named in every log, table and picture."""
    for path, folder in placed.items():
        if printable(folder.label) != folder.label or len(path.splitlines()) > 1:
            raise DatasetError(
                f"an image is named {path!r}; accepted are names of classes without control characters, and of files "
                "without line breaks",
                remedy="rename the folder or the file",
            )


def _is_image(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not _is_hidden(path.parts)


def _is_hidden(parts: Parts) -> bool:
    """Whether an operating system left the file: macOS's twin of `x.jpeg` in a zip is `__MACOSX/._x.jpeg`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _declared_depth(folder: Parts) -> int | None:
    """Position of the deepest TRAIN, TEST or TEST_SIMPLE with a class folder below it."""
    depths = (depth for depth, part in enumerate(folder[:-1]) if part.upper() in DECLARED)
    return max(depths, default=None)


def _undeclared_root(image_folders: set[Parts]) -> Parts:
    """The folder whose children are the classes; images that lie beside the class folders do not hide it."""
    root = _common(image_folders)
    while root in image_folders and len(image_folders) > 1:
        image_folders = image_folders - {root}
        root = _common(image_folders)
    # Where one folder holds everything, that folder is the only class.
    return root[:-1] if root in image_folders else root


def _common(folders: Iterable[Parts]) -> Parts:
    """The longest path that all the folders start with."""
    levels = zip(*folders, strict=False)
    return tuple(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _refuse_siblings(unplaced: Iterable[Parts], root: Parts) -> None:
    """Refuse `VAL/` beside `TRAIN/`: its images would be left out without a word."""
    for parts in unplaced:
        below = parts[len(root) :]
        if parts[: len(root)] == root and len(below) > 1 and below[0].upper() not in DECLARED:
            raise DatasetError(
                f"the folder {'/'.join((*root, below[0]))} lies beside TRAIN or TEST and holds images; "
                f"accepted are {', '.join(DECLARED)}",
                remedy="move its class folders into one of these, or remove it",
            )
