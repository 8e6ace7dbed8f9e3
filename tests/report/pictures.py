"""What tests see in a picture."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image


def pixels(picture: bytes) -> np.ndarray:
    """Of shape (height, width, 3), RGB."""
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def shows(picture: bytes, code: str) -> bool:
    """Whether a picture has the colour, but for what the palette may shift it by."""
    found = pixels(picture).reshape(-1, 3).astype(int)
    return bool((abs(found - list(bytes.fromhex(code))).max(axis=1) <= 4).any())


def is_whole(figure: Figure) -> bool:
    """Whether all that is drawn lies within the figure, but for a pixel."""
    figure.set_dpi(150)  # as it is saved
    renderer = FigureCanvasAgg(figure).get_renderer()
    title = next(text for text in figure.findobj(Text) if text.get_text() == figure.get_suptitle())
    boxes = title.get_window_extent(renderer), figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)
    return all((box.min >= -1).all() and (box.max <= figure.bbox.max + 1).all() for box in boxes)


def texts(figure: Figure) -> list[str]:
    """All that is written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]
