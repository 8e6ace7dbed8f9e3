"""The dataset that needs no download: drawn where a grid asks for it and the store has none."""

from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from bloodcell.data.dataset import read_info
from bloodcell.errors import ObjectNotFoundError
from bloodcell.store import Store

SYNTHETIC = "synthetic"
"""Its name in the store."""


def draw_missing(store: Store, dataset: str) -> None:
    """Draw the synthetic dataset if that is what `dataset` names, and the store has none."""
    if dataset != SYNTHETIC:
        return
    try:
        read_info(store, dataset)
    except ObjectNotFoundError:
        draw(store)


@task(name="draw images", cache_policy=NO_CACHE)
def draw(store: Store) -> None:
    """Draw the synthetic images and publish them, as `bloodcell data synthesize` does."""
    from bloodcell.data.ingest import push
    from bloodcell.data.synthetic import synthesize

    with TemporaryDirectory() as folder:
        images = Path(folder, SYNTHETIC)
        synthesize(images)
        info = push(store, images, name=SYNTHETIC)
    get_run_logger().info("%s@%s: %s images, drawn by a program", info.name, info.version, info.images)
