"""Images that are no images, that would take all memory, or that are not what one expects."""

import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bloodcell.errors import ImageError
from tests.hostile.case import Case
from tests.hostile.giving import encoded, member, png

_RED, _GREEN = (Image.new("RGB", (16, 16), colour) for colour in ("red", "lime"))
_EMPTY = zlib.compress(bytes(49 * 16))
_SIDEWAYS = Image.Exif()
_SIDEWAYS[0x0112] = 6


def _left_dark() -> Image.Image:
    image = Image.new("RGB", (16, 16), "white")
    image.paste("black", (0, 0, 8, 16))
    return image


def _given(data: bytes, suffix: str = "png") -> Callable[[Path], str]:
    return member(f"A/x.{suffix}", data)


def _trains(data: bytes) -> Callable[[Path], str]:
    """Pushes a set with the image, and decodes it as a training does; returns its first and last pixel."""

    def give(folder: Path) -> str:
        from bloodcell.data.decoded import _decode

        member("A/x.png", data)(folder)
        pixels = _decode(data, 16).numpy()
        first, last = (tuple(int(value) for value in pixels[place]) for place in ((0, 0), (0, -1)))
        return f"the corners above are RGB {first} and {last}"

    return give


IMAGES = (
    Case("a JPEG that ends early", _given(encoded(_GREEN)[:-100], "jpg"), "A/x.jpg: ", ImageError),
    Case("text named `x.jpg`", _given(b"GIF89a or not", "jpg"), "neither JPEG nor PNG", ImageError),
    Case("an empty file", _given(b"", "jpg"), "neither JPEG nor PNG", ImageError),
    Case(
        "an animated GIF named `x.jpg`",
        _given(encoded(_RED, "GIF", save_all=True, append_images=[_GREEN]), "jpg"),
        "neither JPEG",
        ImageError,
    ),
    Case("a PNG of 2,147,483,647 x 2,147,483,647 px", _given(png(2**31 - 1, 2**31 - 1)), "too large", ImageError),
    Case(
        "a PNG of 8,001 x 8,000 px, and no pixels",
        _given(png(8001, 8000, (b"IDAT", _EMPTY))),
        "8001 x 8000 px",
        ImageError,
    ),
    Case(
        "a PNG with 200 MB of text in 200 kB",
        _given(png(16, 16, (b"zTXt", b"k\0\0" + zlib.compress(bytes(200_000_000))), (b"IDAT", _EMPTY))),
        "too large",
        ImageError,
    ),
    Case("a PNG that ends in its header", _given(png(1, 1)[:12] + b"IHDR..."), "A/x.png: ", ImageError),
    Case(
        "16 bits a channel",
        _trains(encoded(Image.new("I;16", (16, 16), 40_000), "PNG")),
        "(156, 156, 156)",
        taken="taken, with the upper 8 bits",
    ),
    Case("CMYK", _trains(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)))), "(255, 0, 0)", taken="taken as RGB"),
    Case("a palette", _trains(encoded(_RED.quantize(4), "PNG")), "(255, 0, 0)", taken="taken as RGB"),
    Case(
        "transparency",
        _trains(encoded(Image.new("RGBA", (16, 16), (250, 4, 5, 0)), "PNG")),
        "(250, 4, 5)",
        taken="taken as RGB; transparency is passed over",
    ),
    Case(
        "an animated PNG",
        _trains(encoded(_RED, "PNG", save_all=True, append_images=[_GREEN])),
        "(255, 0, 0)",
        taken="taken as its first picture",
    ),
    Case(
        "a rotation in EXIF",
        _trains(encoded(_left_dark(), exif=_SIDEWAYS)),
        "(0, 0, 0) and (255, 255, 255)",
        taken="taken as its pixels lie, not rotated",
    ),
)
