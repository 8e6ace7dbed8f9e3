"""Options that several benchmarks take, under one name in all of them."""

from pathlib import Path

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
results = click.option(
    "--results", "folder", type=click.Path(path_type=Path), default=RESULTS, help="Folder that the figures are kept in."
)
