"""Whether an image file can be trained on: decoded once, in full, before anything is written."""

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from itertools import islice

import pandas as pd
from PIL import Image, UnidentifiedImageError

from bloodcell.data.archive import Archive
from bloodcell.data.layout import ImageFile, Layout
from bloodcell.errors import ArchiveError, BloodcellError, ImageError
from bloodcell.settings import cpus

Progress = Callable[[int, int], None]
"""Called with the images done and the images in all."""

MAX_PIXELS = 64 * 10**6
"""Largest width times height; decoded as RGB that is 192 MB."""

_DECODERS = min(8, cpus())
"""Threads that decode; each may hold an image of MAX_PIXELS."""

_QUEUED = 256
"""Images that are handed to the threads at once, so that neither memory nor an interrupt waits for the whole set."""

_NAMED_AT_MOST = 10
"""Unreadable images that an error names."""


@dataclass(frozen=True)
class Inspection:
    """What decoding an image tells: SHA-256 of its bytes, their number, width and height in pixels."""

    sha256: str
    size: int
    width: int
    height: int


def inspect(data: bytes) -> Inspection:
    """Decode an image completely; safe to call from several threads.

    Args:
        data: The bytes of a JPEG or PNG file.

    Raises:
        ImageError: They are neither, are damaged or cut short, or hold more than MAX_PIXELS.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(f"{width} x {height} px")
            image.load()
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        pixels = re.search(r"\d+(?= pixels)", str(error))  # Pillow's own limit is another, and higher
        raise _too_large(f"{int(pixels.group()):,} px" if pixels else str(error)) from error
    except Exception as error:  # Pillow's decoders raise what they meet: OSError, SyntaxError, struct.error
        reason = (
            "neither JPEG nor PNG" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        )
        raise ImageError(reason, remedy="repair the image or remove it") from error
    return Inspection(hashlib.sha256(data).hexdigest(), len(data), width, height)


def inspect_all(archive: Archive, layout: Layout, progress: Progress | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """Decode every image.

    Returns:
        The table of images that `curation` works on, and why each of the others cannot be decoded, by archive path.
    """

    def inspect_one(image: ImageFile) -> Inspection | BloodcellError:
        try:
            return inspect(archive.read(layout.root + image.path))
        except (ArchiveError, ImageError) as error:
            return error

    rows, unreadable = [], {}
    # Pillow and hashlib release the interpreter's lock, so threads decode in parallel.
    with ThreadPoolExecutor(_DECODERS) as pool:
        outcomes = (
            outcome
            for start in range(0, len(layout.images), _QUEUED)
            for outcome in pool.map(inspect_one, layout.images[start : start + _QUEUED])
        )
        for done, (image, outcome) in enumerate(zip(layout.images, outcomes, strict=True), start=1):
            if isinstance(outcome, Inspection):
                rows.append((image.path, image.folder.label, image.folder.declared, *astuple(outcome)))
            else:
                unreadable[layout.root + image.path] = outcome.problem
            if progress:
                progress(done, len(layout.images))
    return pd.DataFrame(rows, columns=["path", "label", "declared", "sha256", "size", "width", "height"]), unreadable


def unreadable_error(reasons: Mapping[str, str], images: int) -> ImageError:
    """The error that names the first of the images that `inspect_all` could not decode, and counts the others."""
    named = [f"  {path}: {reason}" for path, reason in islice(reasons.items(), _NAMED_AT_MOST)]
    if more := len(reasons) - len(named):
        named.append(f"  and {more:,} more")
    return ImageError(
        "\n".join([f"{len(reasons):,} of {images:,} images cannot be read:", *named]),
        remedy="repair or remove them, or pass --skip-unreadable to leave them out",
    )


def _too_large(size: str) -> ImageError:
    return ImageError(
        f"too large: {size}; accepted are up to {MAX_PIXELS:,} pixels", remedy="scale the image down or remove it"
    )
