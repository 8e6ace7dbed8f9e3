"""What the input costs: the time of an epoch over its limit, which is the same steps on one batch that is in memory.

Both are `bloodcell.training.fit` of one architecture, validation included, each in a process of its own. The one reads
the array of decoded images, in an order that the seed decides; the other takes the first batch of that pipeline, keeps
it in memory, and repeats it. They take turns, an epoch each, the others waiting meanwhile; the first epoch, in which
TensorFlow traces, is not counted. An epoch takes seconds: what else runs on the machine slows two that are neighbours
in time alike, so that their ratio is less noisy than either, and the median of many such ratios less still.

Two processes that do the same do not take the same time either, for as long as they live. So all are started several
times, and the figure is the median of their medians; and a third process, which does what the limit's does, is measured
beside them: how far its ratio to the limit is from one is the smallest difference that this method can tell.
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
from benchmarks.comparing import Side, Turns, by_start
from benchmarks.photographs import Published, photographs
from benchmarks.results import Figure, Row, save
from benchmarks.throughput import Shape
from bloodcell.events import LAST_EPOCH

AT_MOST = 1.03
"""Bar of the epoch's time over its limit."""

_SHAPES = ("MobileNet:128:0.25", "MobileNet:128")
"""The first asks most of the input, of the shapes that the shipped grids and the README name."""


class EpochByEpoch:
    """A training in a thread, which goes on for an epoch at each call.

    Args:
        train: The training; it calls what it is given at the end of each epoch.
    """

    def __init__(self, train: Callable[[Callable[..., None]], object]) -> None:
        self._wanted, self._ended = Semaphore(0), SimpleQueue[Exception | None]()
        Thread(target=self._run, args=(train,), daemon=True).start()

    def __call__(self) -> None:
        """Train for an epoch, and raise what the training does."""
        self._wanted.release()
        if error := self._ended.get():
            raise error

    def _run(self, train: Callable[[Callable[..., None]], object]) -> None:
        self._wanted.acquire()
        try:
            train(self._on_epoch)
            raise RuntimeError("the training has no epoch left")
        except Exception as error:  # noqa: BLE001 - who waits raises it
            self._ended.put(error)

    def _on_epoch(self, *_: object) -> None:
        self._ended.put(None)
        self._wanted.acquire()


def prepare(
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
    config = shape.config(batch_size).model_copy(update={"epochs": LAST_EPOCH})
    examples = whole_batches(published, pixels(published, shape.side, cache), batch_size)
    if held:
        examples = OneBatch(examples.images, examples.labels, examples.split)
    model = build_model(config, len(published.info.labels))
    epoch = EpochByEpoch(lambda on_epoch: fit(model, config, examples, on_epoch))
    epoch()
    return epoch


def compare(
    shape: Shape, store: Path, cache: Path, *, batch_size: int, threads: int, starts: int, rounds: int
) -> tuple[Figure, Row]:
    """Measure one shape.

    Returns:
        The ratio, and the line of the table.
    """
    held = {"epoch": False, "limit": True, "again": True}
    arguments = (shape, store, cache, batch_size, threads)
    sides = {name: partial(Side, partial(prepare, held=one_batch), *arguments) for name, one_batch in held.items()}
    turns = Turns.take(sides, starts=starts, rounds=rounds)
    ratios = {name: turns.ratios(name, "limit") for name in ("epoch", "again")}
    figure = Figure(
        key=f"input-{shape.key}",
        text=f"time of an epoch over the same steps on one batch in memory, {shape.text}",
        value=median(ratios["epoch"]),
        unit="x",
        at_most=AT_MOST,
    )
    return figure, {
        "model": shape.text,
        "epoch, s": round(turns.seconds("epoch"), 2),
        "limit, s": round(turns.seconds("limit"), 2),
        "ratio by start": by_start(ratios["epoch"]),
        "limit over itself by start": by_start(ratios["again"]),
    }


@click.command(help=__doc__)
@options.data
@click.option("--model", "models", multiple=True, default=_SHAPES, show_default=True, metavar="BACKBONE[:SIDE[:WIDTH]]")
@click.option("--count", default=2000, show_default=True, help="Images of an epoch, validation included.")
@click.option("--batch-size", default=32, show_default=True)
@click.option("--starts", default=5, show_default=True, help="How often all processes are started anew.")
@click.option("--rounds", default=5, show_default=True, help="Epochs of each process.")
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
