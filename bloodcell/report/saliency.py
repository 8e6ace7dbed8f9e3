"""Images beside the places in them that speak for the class they are called."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from bloodcell.report.formatting import percent, shortened
from bloodcell.report.gallery import with_probability
from bloodcell.report.style import INK, WRONG, photographs

MOST_CLASSES = 10
"""Classes that the picture shows, the first ones: each is a line of it."""

_RIGHT, _WRONG = 2, 1  # images of a class
_LABEL_LENGTH = 15  # characters that a tile's height holds
_STRENGTH = 0.7  # share of the colour where the map is highest

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
    figure = Figure(figsize=(6.4, 1.3 * len(classes) + 0.2), layout="constrained")
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
        tiles[line, column + 1].imshow(overlaid(picture, heat))
        verdict = f"called {shortened(called, _LABEL_LENGTH)}" if wrong else "right"
        colour = WRONG if wrong else INK
        tiles[line, column].set_title(
            f"{verdict}, {percent(image['probability'])}", fontsize=8, color=colour, loc="left", parse_math=False
        )
    for line, label in enumerate(classes):
        tiles[line, 0].set_ylabel(shortened(label, _LABEL_LENGTH), fontsize=8, color=INK, parse_math=False)
    return photographs(figure, title)


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
