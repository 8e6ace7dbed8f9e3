"""The images that a model calls wrong with the highest probability."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bloodcell.evaluation import probability_column
from bloodcell.formatting import percent, shortened
from bloodcell.report.style import INK, SOFT, photographs

MOST = 12
PER_CELL = 2
"""Images of one source cell that the gallery shows: one cell of many images would fill it alone."""

_COLUMNS = 4
_LABEL_LENGTH, _FILE_LENGTH = 15, 24  # characters that a tile's width holds, with `called`


def with_probability(images: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Rows of predictions.parquet with a column `probability`, that of the class called."""
    return images.assign(probability=images[list(map(probability_column, labels))].max(axis=1))


def worst_errors(images: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """The images called wrong with the highest probability, highest first; at most `MOST`, `PER_CELL` of a source cell.

    Args:
        images: Of one split, as in predictions.parquet.
        labels: Classes.

    Returns:
        Those rows, under their index, with the column `probability`.
    """
    wrong = with_probability(images[images["label"] != images["predicted"]], labels)
    ordered = wrong.sort_values(["probability", "sha256"], ascending=[False, True])
    return ordered.groupby("source", sort=False).head(PER_CELL).head(MOST)


def gallery(errors: pd.DataFrame, pictures: npt.NDArray[np.uint8], title: str) -> bytes:
    """Each error with its true class, the class it is called, the probability of that, and its file.

    Args:
        errors: As from `worst_errors`; at least one.
        pictures: Shape (errors, side, side, 3), RGB.
        title: Printed above, in as many lines as it needs.
    """
    lines = -(-len(errors) // _COLUMNS)
    figure = Figure(figsize=(6.4, 2.3 * lines + 0.3), layout="constrained")
    tiles = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axes in tiles:
        axes.set_axis_off()
    for axes, picture, error in zip(tiles, pictures, errors.to_dict("records"), strict=False):
        axes.imshow(picture)
        label, called = (shortened(error[column], _LABEL_LENGTH) for column in ("label", "predicted"))
        _caption(axes, f"{label}\ncalled {called}\n{percent(error['probability'])}", _file(error["path"]))
    return photographs(figure, title)


def _caption(axes: Axes, text: str, path: str) -> None:
    axes.set_title(text, fontsize=8.5, color=INK, loc="left", parse_math=False)
    axes.annotate(path, (0, -0.03), xycoords="axes fraction", va="top", fontsize=7, color=SOFT, parse_math=False)


def _file(path: str) -> str:
    name = path.rpartition("/")[2]
    return name if len(name) <= _FILE_LENGTH else f"…{name[1 - _FILE_LENGTH :]}"
