"""What the input costs: the time of an epoch over its limit, which is the same steps on one batch that is in memory.

Both are `bloodcell.training.fit` of one architecture, validation included, each in a process of its own. The one reads
the array of decoded images, in an order that the seed decides; the other takes the first batch of that pipeline, keeps
it in memory, and repeats it. They take turns, an epoch each, the other waiting meanwhile; the first epoch, in which
TensorFlow traces, is not counted. An epoch takes seconds: two that are neighbours in time have much of a machine's
unrest in common, and the median of many such ratios the less of it.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Semaphore, Thread

import click

from benchmarks import options
from benchmarks.comparing import Ratio, Side, alternate
from benchmarks.photographs import Published, photographs
from benchmarks.results import Figure, Row, save
from benchmarks.throughput import Shape

AT_MOST = 1.03
"""Bar of the epoch's time over its limit."""

_SHAPES = ("MobileNet:128:0.25", "MobileNet:128")
"""The first asks most of the input, of the shapes that the shipped grids and the README name."""

_MOST_EPOCHS = 10_000


def epochs(
    shape: Shape, store: Path, cache: Path, batch_size: int, threads: int, *, held: bool
) -> Callable[[], object]:
    """Prepare one side; the function that it returns trains for an epoch.

    Args:
        shape: What is trained.
        store: That of the images.
        cache: Where they are decoded.
        batch_size: Images a step.
        threads: Of TensorFlow.
        held: Whether it trains on one batch that is in memory.
    """
    from bloodcell.keras_import import import_keras

    import_keras()
    from benchmarks.examples import OneBatch, pixels, whole_batches
    from bloodcell.model import build_model
    from bloodcell.training import fit, set_up

    set_up(0, threads)
    published = Published.at(store)
    config = shape.config(batch_size).model_copy(update={"epochs": _MOST_EPOCHS})
    examples = whole_batches(published, pixels(published, shape.side, cache), batch_size)
    if held:
        examples = OneBatch(examples.images, examples.labels, examples.split)
    model = build_model(config, len(published.info.labels))
    wanted, ended = Semaphore(0), SimpleQueue[Exception | None]()

    def on_epoch(*_: object) -> None:
        ended.put(None)
        wanted.acquire()

    def train() -> None:
        wanted.acquire()
        try:
            fit(model, config, examples, on_epoch)
        except Exception as error:  # noqa: BLE001 - who waits raises it
            ended.put(error)

    def epoch() -> None:
        wanted.release()
        if error := ended.get():
            raise error

    Thread(target=train, daemon=True).start()
    epoch()
    return epoch


def compare(
    shape: Shape, store: Path, cache: Path, *, batch_size: int, threads: int, rounds: int
) -> tuple[Figure, Row]:
    """Measure one shape.

    Returns:
        The ratio, and the line of the table.
    """
    arguments = (shape, store, cache, batch_size, threads)
    with Side(partial(epochs, held=False), *arguments) as real, Side(partial(epochs, held=True), *arguments) as held:
        seconds = alternate({"epoch": real.turn, "limit": held.turn}, rounds)
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
@click.option("--count", default=800, show_default=True, help="Images of an epoch, validation included.")
@click.option("--batch-size", default=32, show_default=True)
@click.option("--rounds", default=31, show_default=True, help="Epochs of each; the figure is their median ratio.")
@options.threads
@options.results
def main(data: Path | None, models: tuple[str, ...], count: int, folder: Path, **settings: int) -> None:
    """Measure each shape and save the figures."""
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        store, cache = Path(temporary) / "store", Path(temporary) / "cache"
        Published.of(chosen, store)
        measured = [compare(Shape.parse(text), store, cache, **settings) for text in models]
    save(
        "input_limit",
        __doc__,
        folder,
        images=images,
        settings=settings | {"count": count},
        figures=[figure for figure, _ in measured],
        rows=[row for _, row in measured],
    )


if __name__ == "__main__":
    main()
