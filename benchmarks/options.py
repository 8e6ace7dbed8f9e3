"""Options that several benchmarks take, under one name in all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.results import RESULTS
from bloodcell.settings import cpus

data = click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="Archive of images, the Kaggle set or one in its layout; drawn images otherwise.",
)
weights = click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of MobileNet's weights, named as Keras names them; random ones otherwise.",
)
threads = click.option("--threads", type=int, default=cpus, help="CPU threads; all cores otherwise.")
starts = click.option("--starts", default=3, show_default=True, help="How often all processes are started anew.")
results = click.option(
    "--results", "folder", type=click.Path(path_type=Path), default=RESULTS, help="Folder that the figures are kept in."
)


def trainings(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is trained by those who compare with the notebook."""
    for option in (
        click.option("--epochs", default=3, show_default=True),
        click.option("--batch-size", default=16, show_default=True),
        click.option("--side", default=128, show_default=True, help="Of the images, in pixels."),
        click.option("--width", default=0.25, show_default=True, help="Keras's alpha."),
        click.option("--count", default=2000, show_default=True, help="Images, in the archive's proportions."),
    ):  # the last is named first in the help
        command = option(command)
    return command
