"""Images beside the places in them that speak for the predicted class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from bloodcell.formatting import percent, shortened
from bloodcell.report.gallery import with_probability
from bloodcell.report.style import INK, SOFT, WRONG, photographs

MOST_CLASSES = 10
"""Classes that the picture shows, the first ones: each is a line of it."""

_RIGHT, _WRONG = 2, 1  # images of a class
_LABEL_LENGTH = 15  # characters that a tile's height holds
_STRENGTH = 0.7  # share of the colour where the map is highest
_FLAT = 0.1
"""Of a map's highest place: a map that varies by less marks no place, and is shown without colour."""

Pixels = npt.NDArray[np.uint8]


def examples(images: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Of each class two images called right, taken by their hash, and the error of the highest probability.

    Args:
        images: Of one split, as in predictions.parquet.
        labels: Classes, in order.

    Returns:
        Those rows, under their index, in the order of the classes, with the column `probability`. The two are of
        different source cells.
    """
    known = with_probability(images, labels)
    right = known["label"] == known["predicted"]
    by_hash = known[right].sort_values("sha256").drop_duplicates(["label", "source"]).groupby("label").head(_RIGHT)
    worst = known[~right].sort_values(["probability", "sha256"], ascending=[False, True])
    chosen = pd.concat([by_hash, worst.groupby("label").head(_WRONG)])
    shown = chosen[chosen["label"].isin(labels[:MOST_CLASSES])]
    return shown.sort_values("label", key=lambda column: column.map(list(labels).index), kind="stable")


def saliency(chosen: pd.DataFrame, pictures: Pixels, maps: npt.NDArray[np.float32], title: str) -> bytes:
    """A line a class: each image, and beside it the image under its map.

    Args:
        chosen: As from `examples`; at least one.
        pictures: Shape (chosen, side, side, 3), RGB.
        maps: Shape (chosen, height, width), from 0 to 1.
        title: Printed above, in as many lines as it needs.
    """
    classes = list(dict.fromkeys(chosen["label"]))
    figure = Figure(figsize=(6.4, 1.3 * len(classes) + 0.7), layout="constrained")
    tiles = figure.subplots(len(classes), 2 * (_RIGHT + _WRONG), squeeze=False)
    for axes in tiles.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    taken = {label: [0, 2 * _RIGHT] for label in classes}  # columns of the next image called right, and wrong
    for image, picture, heat in zip(chosen.to_dict("records"), pictures, maps, strict=True):
        label, called = image["label"], image["predicted"]
        wrong = label != called
        line, column = classes.index(label), taken[label][wrong]
        taken[label][wrong] += 2
        tiles[line, column].imshow(picture)
        remark = _remark(heat)
        tiles[line, column + 1].imshow(picture if remark else overlaid(picture, heat))
        tiles[line, column + 1].set_xlabel(remark, fontsize=7, color=SOFT)
        verdict = f"called {shortened(called, _LABEL_LENGTH)}" if wrong else "right"
        colour = WRONG if wrong else INK
        tiles[line, column].set_title(
            f"{verdict}, {percent(image['probability'])}", fontsize=8, color=colour, loc="left", parse_math=False
        )
    for line, label in enumerate(classes):
        tiles[line, 0].set_ylabel(shortened(label, _LABEL_LENGTH), fontsize=8, color=INK, parse_math=False)
    _scale(figure, tiles)
    return photographs(figure, title)


def _remark(heat: npt.NDArray[np.float32]) -> str:
    """Why a map has no colour; empty where it has."""
    if heat.size == 1:
        return "a map of one place"
    if heat.max() <= 0:
        return "nothing"
    return "same everywhere" if heat.max() - heat.min() < _FLAT * heat.max() else ""


def _scale(figure: Figure, tiles: npt.NDArray[np.object_]) -> None:
    """What the colours mean, below the tiles: as they are over white."""
    white = np.full((1, 256, 3), 255, np.uint8)
    colours = overlaid(white, np.linspace(0, 1, 256, dtype=np.float32)[None])[0] / 255
    bar = figure.colorbar(
        ScalarMappable(cmap=ListedColormap(colours)),
        ax=tiles,
        orientation="horizontal",
        aspect=40,
        pad=0.02,
        shrink=0.65,
    )
    bar.set_ticks([0, 1], labels=["nothing", "most, in this image"])
    bar.ax.tick_params(labelsize=8, colors=INK, length=0)
    bar.outline.set_visible(False)
    bar.set_label("speaks for the predicted class", fontsize=8, color=INK, labelpad=-8)


def overlaid(picture: Pixels, heat: npt.NDArray[np.float32]) -> Pixels:
    """A picture under a map, which is enlarged bilinearly as the paper does; yellow and opaque where it is highest.

    Args:
        picture: Shape (side, side, 3), RGB.
        heat: Shape (height, width), from 0 to 1.
    """
    enlarged = Image.fromarray(heat).resize(picture.shape[1::-1], Image.Resampling.BILINEAR)
    heat = np.clip(np.asarray(enlarged), 0, 1)[..., None]
    colour = colormaps["viridis"](heat[..., 0])[..., :3] * 255
    share = _STRENGTH * heat
    blended: Pixels = (picture * (1 - share) + colour * share).astype(np.uint8)
    return blended
