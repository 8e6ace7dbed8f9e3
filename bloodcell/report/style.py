"""The restrained style that all pictures share, and their bytes.

Figures are drawn through Figure objects, never through pyplot, whose figures and style are global: several
threads may draw at once. The same figures give the same bytes.
"""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

from bloodcell.report.titles import set_title

INK, SOFT, GRID, RULE = "#333333", "#777777", "#E4E4E4", "#BBBBBB"
WRONG = "#D55E00"  # of Okabe and Ito

_DPI = 150
_LEGEND_LINE = 4  # series whose names fit a line
_COLOURS = 256
_COMPRESSION = 6  # of zlib; the smallest file, by an eighth, takes six times as long
_PHOTOGRAPHS_DPI = 100  # a tile then has about the pixels of the image
_QUALITY = 70


def dress(axes: Axes, x: str, y: str) -> None:
    """Axis labels, a light grid and no frame."""
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.spines[:].set_visible(False)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def percent(axes: Axes) -> None:
    """Show the fractions of the y axis as percent, without room above 100 % or below 0 %."""
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.01), min(high, 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))


def png(figure: Figure, title: str, legend: Axes | None = None) -> bytes:
    """Draw a chart; with a palette instead of true colour the file is a third of the size.

    Args:
        figure: The chart.
        title: Printed above, in as many lines as it needs.
        legend: The axes whose series are named below.
    """
    set_title(figure, title, INK)
    if legend is not None:
        handles, labels = legend.get_legend_handles_labels()
        columns = len(labels) if len(labels) <= _LEGEND_LINE else -(-len(labels) // 2)
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
    palette = _drawn(figure, _DPI).quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
    smaller = io.BytesIO()
    palette.save(smaller, "PNG", compress_level=_COMPRESSION)
    return smaller.getvalue()


def photographs(figure: Figure, title: str) -> bytes:
    """Draw photographs, as JPEG: in true colour a PNG is six times as large.

    Args:
        figure: What shows them.
        title: Printed above, in as many lines as it needs.
    """
    set_title(figure, title, INK)
    small = io.BytesIO()
    _drawn(figure, _PHOTOGRAPHS_DPI).save(small, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return small.getvalue()


def _drawn(figure: Figure, dpi: int) -> Image.Image:
    # `savefig` lays out and draws everything twice, and would make a PNG only for it to be read again.
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return Image.fromarray(pixels).convert("RGB")
