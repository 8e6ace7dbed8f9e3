"""`bloodcell data`: the datasets of the store."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bloodcell.cli.terminal import configured_store, progress_bar
from bloodcell.printable import printable

if TYPE_CHECKING:
    import pandas as pd

    from bloodcell.data.dataset import DatasetInfo


@click.group()
def data() -> None:
    """Add datasets to the store and look at them."""


@data.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--name", default="blood-cells", show_default=True, help="Name of the dataset in the store.")
@click.option("--skip-unreadable", is_flag=True, help="Leave images out that cannot be decoded, and list them.")
def push(source: Path, name: str, skip_unreadable: bool) -> None:
    """Check the images in SOURCE (a zip or a folder) and publish them as a dataset version.

    SOURCE holds TRAIN, TEST and TEST_SIMPLE with a folder a class (at any depth, as Kaggle's archive does),
    or a folder a class. The archive itself is never unpacked nor changed.
    """
    _push(source, name, skip_unreadable)


@data.command()
@click.option("--name", default="synthetic", show_default=True, help="Name of the dataset in the store.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Write the images to this folder instead.")
@click.option("--seed", default=0, show_default=True, help="Seed of the drawing.")
def synthesize(name: str, folder: Path | None, seed: int) -> None:
    """Draw a labelled synthetic set of four white-cell classes, for a try without a download."""
    from bloodcell.data.ingest import check_name
    from bloodcell.data.synthetic import synthesize as draw

    check_name(name)
    if folder is not None:
        with progress_bar("drawing cells") as progress:
            draw(folder, seed=seed, progress=progress)
        click.echo(f"synthetic images are in {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "synthetic"
        with progress_bar("drawing cells") as progress:
            draw(root, seed=seed, progress=progress)
        _push(root, name, skip_unreadable=False)


@data.command("list")
def list_datasets() -> None:
    """Name the datasets of the store."""
    from bloodcell.data.dataset import dataset_names, read_info

    store = configured_store()
    names = dataset_names(store)
    if not names:
        click.echo(f"{store.url} holds no dataset; add one with `bloodcell data push <archive or folder>`")
    for name in names:
        info = read_info(store, name)
        kind = ", synthetic" if info.synthetic else ""
        click.echo(f"{name}@{info.version}  {info.images} images, {len(info.labels)} classes{kind}")


@data.command()
@click.argument("dataset")
def show(dataset: str) -> None:
    """Describe DATASET (`name`, or `name@version`), and what each split of it leaks into the evaluation."""
    from bloodcell.data.dataset import read_info
    from bloodcell.data.manifest import read_manifest

    store = configured_store()
    info = read_info(store, dataset)
    click.echo(_description(info))
    if info.sources_known:
        click.echo(_leakage(read_manifest(store, info)))


@data.command()
@click.argument("dataset")
def group(dataset: str) -> None:
    """Find which images of DATASET show the same source cell, and publish a version that says so.

    Images are matched with one another: one that is rotated, mirrored, sheared or shifted shows the same cells as its
    original, and so do photographs of overlapping fields.
    """
    from bloodcell.data.regrouping import group as regroup

    info, found = regroup(configured_store(), dataset, progress_bar)
    click.echo(_description(info))
    click.echo("\n".join(map(printable, found.lines())))


def _push(source: Path, name: str, skip_unreadable: bool) -> None:
    from bloodcell.data.ingest import push as publish

    with progress_bar("reading images") as reading, progress_bar("storing images") as storing:
        info = publish(
            configured_store(), source, name=name, skip_unreadable=skip_unreadable, progress=reading, storing=storing
        )
    click.echo(_description(info))


def _leakage(manifest: "pd.DataFrame") -> str:
    """What each protocol would leak with the default fractions and seed 0; source cells are known."""
    from bloodcell.config import ExperimentConfig
    from bloodcell.data.auditing import audit_splits
    from bloodcell.data.leakage import SIBLING, described

    configs = [ExperimentConfig(split=protocol) for protocol in ("source", "folder", "pooled")]
    return "\n".join(
        "  leakage: "
        + (
            described([audit], "test", "validation")
            or f"no test or validation image with split {audit.settings.split} has {SIBLING}"
        )
        for audit in audit_splits(manifest, configs, sources_known=True)
    )


def _description(info: "DatasetInfo") -> str:
    """A dataset version in a few lines, as `data push` and `data show` print it."""
    kind = "synthetic images, drawn by a program" if info.synthetic else "images"
    lines = [f"{info.name}@{info.version}: {info.images} {kind}, from {info.origin}"]
    for declared, classes in info.declared.items():
        counts = ", ".join(f"{label} {count}" for label, count in classes.items())
        lines.append(f"  {declared or 'all'}: {sum(classes.values())} ({counts})")
    if info.sources_known:
        lines.append(f"  source cells: {info.sources} ({info.sources_from})")
    else:
        lines.append(
            f"  source cells: not known; each image counts as its own until `bloodcell data group {info.name}`"
        )
    lines += [f"  dropped {pair.dropped}: the same bytes as {pair.kept}" for pair in info.duplicates]
    lines += [f"  left out {file}" for file in info.skipped]
    return "\n".join(map(printable, lines))
