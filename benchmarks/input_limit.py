"""What the input costs: the time of an epoch over its limit, which is the same steps on one batch that is in memory.

Both are `bloodcell.training.fit` of one compiled model in one process, validation included. The one reads the array of
decoded images, in an order that the seed decides; the other takes the first batch of that pipeline, keeps it in memory,
and repeats it. They take turns, two epochs each, of which the first is not counted: TensorFlow traces in it.
"""

import tempfile
from pathlib import Path
from statistics import median

import click

from benchmarks import options
from benchmarks.comparing import Ratio, alternate
from benchmarks.photographs import Published, photographs
from benchmarks.results import Figure, Row, save
from benchmarks.throughput import Shape

AT_MOST = 1.03
"""Bar of the epoch's time over its limit."""

_SHAPES = ("MobileNet:128:0.25", "MobileNet:128")
"""The first asks most of the input, of the shapes that the shipped grids and the README name."""


def compare(shape: Shape, published: Published, cache: Path, *, batch_size: int, rounds: int) -> tuple[Figure, Row]:
    """Measure one shape.

    Returns:
        The ratio, and the line of the table.
    """
    from benchmarks.examples import OneBatch, pixels, whole_batches
    from bloodcell.model import build_model
    from bloodcell.training import fit

    config = shape.config(batch_size).model_copy(update={"epochs": 2})
    model = build_model(config, len(published.info.labels))
    real = whole_batches(published, pixels(published, shape.side, cache), batch_size)
    held = OneBatch(real.images, real.labels, real.split)
    epochs = {
        "epoch": lambda: fit(model, config, real, lambda *_: None).history[1].seconds,
        "limit": lambda: fit(model, config, held, lambda *_: None).history[1].seconds,
    }
    seconds = alternate(epochs, rounds)
    ratio = Ratio.of(seconds["epoch"], seconds["limit"])
    figure = Figure(
        key=f"input-{shape.key}",
        text=f"time of an epoch over the same steps on one batch in memory, {shape.text}",
        value=ratio.median,
        unit="x",
        at_most=AT_MOST,
    )
    return figure, {
        "model": shape.text,
        "epoch, s": round(median(seconds["epoch"]), 2),
        "limit, s": round(median(seconds["limit"]), 2),
        "ratio (least to largest)": str(ratio),
    }


@click.command(help=__doc__)
@options.data
@click.option("--model", "models", multiple=True, default=_SHAPES, show_default=True, metavar="BACKBONE[:SIDE[:WIDTH]]")
@click.option("--count", default=2000, show_default=True, help="Images of an epoch, validation included.")
@click.option("--batch-size", default=32, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Epochs of each; the figure is their median ratio.")
@options.threads
@options.results
def main(data: Path | None, models: tuple[str, ...], count: int, threads: int, folder: Path, **settings: int) -> None:
    """Measure each shape and save the figures."""
    from bloodcell.keras_import import import_keras

    import_keras()
    from bloodcell.training import set_up

    set_up(0, threads)
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        published = Published.of(chosen, Path(temporary) / "store")
        measured = [compare(Shape.parse(text), published, Path(temporary) / "cache", **settings) for text in models]
    save(
        "input_limit",
        __doc__,
        folder,
        images=images,
        settings=settings | {"count": count, "threads": threads},
        figures=[figure for figure, _ in measured],
        rows=[row for _, row in measured],
    )


if __name__ == "__main__":
    main()
