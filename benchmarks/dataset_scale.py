"""How cost grows with the images of a dataset: push, split, leakage audit, decoding, an epoch's input without a model.

The images are drawn: JPEG of 64 x 48 px, noise around a colour of the class, 36 to a source cell as the Kaggle set has
them, in one zip. Each step runs in a process of its own, so that its peak memory is its own: sampled from outside,
without the pages of mapped files, which the kernel takes back at will. Imports are not timed.

Memory is not flat in the images: push, split and audit hold the manifest, a row of a table for each image; the images
themselves pass through in shards. The flow of a grid run, which stays as long as its trainings, holds none of it: the
audit is made in a process of its own, and an experiment assigns its images itself.
"""

import csv
import io
import tempfile
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click
import numpy as np
from matplotlib.figure import Figure as Chart
from PIL import Image

from benchmarks import options
from benchmarks.measuring import Cost, in_child
from benchmarks.photographs import Published
from benchmarks.results import Figure, Row, save
from bloodcell.config import ExperimentConfig
from bloodcell.data import auditing
from bloodcell.data.splits import assign
from bloodcell.report.style import SOFT, dress, png

COLOURS = {
    "EOSINOPHIL": (200, 90, 90),
    "LYMPHOCYTE": (90, 90, 200),
    "MONOCYTE": (90, 200, 90),
    "NEUTROPHIL": (200, 200, 90),
}
SIZE = (64, 48)
VIEWS = 36
"""Images of a source cell; the Kaggle set has 12,444 of 348."""

PLOT = Path(__file__).parents[1] / "docs" / "performance" / "dataset_scale.png"


Work = Callable[[], object]


def draw(path: Path, images: int) -> None:
    """Write a zip of images in the Kaggle set's layout, four fifths of them in TRAIN, and their sources."""
    rng = np.random.default_rng(0)
    width, height = SIZE
    sources = io.StringIO()
    table = csv.writer(sources)
    table.writerow(("path", "source"))
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(images):
            cell, view = divmod(number, VIEWS)
            declared = "TEST" if cell % 5 == 4 else "TRAIN"
            label = list(COLOURS)[cell // 5 % len(COLOURS)]
            noise = rng.integers(-40, 41, (height, width, 3), np.int16)
            picture, jpeg = Image.fromarray((noise + COLOURS[label]).astype(np.uint8)), io.BytesIO()
            picture.save(jpeg, "JPEG", quality=75)
            name = f"{declared}/{label}/{cell:06}-{view:02}.jpeg"
            archive.writestr(name, jpeg.getvalue())
            table.writerow((name, f"cell-{cell:06}"))
        archive.writestr("sources.csv", sources.getvalue())


def push(archive: Path, store: Path) -> Work:
    """To check every image and publish them."""
    return partial(Published.of, archive, store)


def split(store: Path) -> Work:
    """To read the manifest and assign every image."""
    return lambda: assign(Published.at(store).manifest, ExperimentConfig(), sources_known=True)


def audit(store: Path) -> Work:
    """To read the manifest and count what each of the three protocols leaks."""
    configs = [ExperimentConfig(split=protocol) for protocol in ("source", "folder", "pooled")]
    return lambda: auditing.audit_splits(Published.at(store).manifest, configs, sources_known=True)


def decode(store: Path, cache: Path, side: int) -> Work:
    """To decode every image into the cache."""
    from benchmarks.examples import pixels

    return partial(pixels, Published.at(store), side, cache)


def epoch(store: Path, cache: Path, side: int) -> Work:
    """To take every batch of an epoch, of 32 images each."""
    from benchmarks.examples import examples

    config = ExperimentConfig(backbone="MobileNet", image_size=side)
    found = examples(Published.at(store), config, cache)
    batches = found.training_batches(batch_size=config.batch_size, epochs=1, seed=0)
    return partial(deque, batches, maxlen=0)


STEPS: dict[str, Callable[..., Work]] = {
    "push": push,
    "split": split,
    "leakage audit": audit,
    "decoding": decode,
    "epoch's input": epoch,
}


def measure(images: int, side: int, work: Path) -> dict[str, Cost]:
    """The cost of each step on a set of so many images."""
    archive, store, cache = work / "images.zip", work / "store", work / "cache"
    draw(archive, images)
    arguments = {"push": (archive, store), "decoding": (store, cache, side), "epoch's input": (store, cache, side)}
    return {name: in_child(step, *arguments.get(name, (store,))) for name, step in STEPS.items()}


def plot(costs: Mapping[int, Mapping[str, Cost]], path: Path) -> None:
    """Draw seconds, on logarithmic axes, and peak memory by images."""
    chart = Chart(figsize=(8, 3.6), layout="constrained")
    left, right = chart.subplots(1, 2)
    sizes = list(costs)
    for name in STEPS:
        left.loglog(sizes, [costs[size][name].seconds for size in sizes], marker="o", markersize=4, label=name)
        right.semilogx(sizes, [costs[size][name].memory / 1e6 for size in sizes], marker="o", markersize=4)
    longest = costs[sizes[-1]]["push"].seconds
    proportional = [longest * size / sizes[-1] for size in sizes]
    left.loglog(sizes, proportional, color=SOFT, linestyle=":", label="proportional to images")
    right.set_ylim(bottom=0)
    dress(left, "images", "seconds")
    dress(right, "images", "peak memory, MB")
    for axes in (left, right):
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(chart, "Cost of a dataset by its images", legend=left))


def rows(costs: Mapping[int, Mapping[str, Cost]]) -> list[Row]:
    """A line for each size and step."""
    return [
        {
            "images": size,
            "step": name,
            "seconds": round(cost.seconds, 2),
            "ms an image": round(1e3 * cost.seconds / size, 3),
            "peak memory, MB": round(cost.memory / 1e6),
        }
        for size, steps in costs.items()
        for name, cost in steps.items()
    ]


def figures(costs: Mapping[int, Mapping[str, Cost]]) -> list[Figure]:
    """How the time of an image changes from the smallest to the largest set, and the memory that one adds."""
    small, large = min(costs), max(costs)
    found: list[Figure] = []
    if small == large:
        return found
    for name in STEPS:
        key = name.replace(" ", "-").replace("'", "")
        before, after = costs[small][name], costs[large][name]
        found += [
            Figure(
                key=f"scale-{key}-time",
                text=f"{name}: time an image at {large:,} over that at {small:,}",
                value=after.seconds / large / (before.seconds / small),
                unit="x",
            ),
            Figure(
                key=f"scale-{key}-memory",
                text=f"{name}: memory that an image adds, from {small:,} to {large:,}",
                value=(after.memory - before.memory) / (large - small),
                unit="bytes",
            ),
        ]
    return found


@click.command(help=__doc__)
@click.option("--size", "sizes", multiple=True, type=int, default=(12_500, 50_000, 200_000), show_default=True)
@click.option("--side", default=32, show_default=True, help="Of the decoded images, in pixels.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), default=PLOT, help="Where the plot goes.")
@options.results
def main(sizes: tuple[int, ...], side: int, picture: Path, folder: Path) -> None:
    """Measure each size, draw the plot and save the figures."""
    costs = {}
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory() as temporary:
            costs[size] = measure(size, side, Path(temporary))
        for row in rows({size: costs[size]}):
            click.echo("  ".join(f"{name} {value}" for name, value in row.items()), err=True)
    plot(costs, picture)
    save(
        "dataset_scale",
        __doc__,
        folder,
        images="drawn images of 64 x 48 px",
        settings={"sizes": sorted(sizes), "side": side},
        figures=figures(costs),
        rows=rows(costs),
    )


if __name__ == "__main__":
    main()
