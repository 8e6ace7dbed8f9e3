"""Mixed precision, in bfloat16 and in float16, against float32: training throughput, and what it does to accuracy.

Throughput as in `throughput`, of our model in each precision. For accuracy the first row of the grid `demo` trains in
each, seed by seed, on images of that grid's kind, which it learns to tell apart in minutes: where float32 is no better
than chance, no precision is worse. It is tested on the images of TEST, whose source cells it has not seen. The
differences are means over seeds, with their 95% intervals.
"""

import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import click
import numpy as np

from benchmarks import options, throughput
from benchmarks.comparing import Difference, Side, Turns, by_start
from benchmarks.photographs import Published, photographs
from benchmarks.results import Figure, Row, save
from benchmarks.throughput import Shape
from bloodcell.config import ExperimentConfig
from bloodcell.grids import load_grid

FULL = "float32"
MIXED = ("mixed_bfloat16", "mixed_float16")


def compare_throughput(
    shape: Shape, mixed: Sequence[str], *, batch_size: int, threads: int, starts: int, rounds: int, steps: int
) -> tuple[list[Figure], list[Row]]:
    """Measure one shape in float32 and in each mixed precision; returns the ratios and the lines of the table."""
    sides = {
        precision: partial(
            Side, throughput.ours, shape.config(batch_size).model_copy(update={"precision": precision}), threads, steps
        )
        for precision in (FULL, *mixed)
    }
    turns = Turns.take(sides, starts=starts, rounds=rounds)
    rates = {precision: round(batch_size * steps / turns.seconds(precision), 1) for precision in sides}
    ratios = {precision: turns.ratios(FULL, precision) for precision in mixed}
    figures = [
        Figure(
            key=f"{precision}-{shape.key}",
            text=f"training throughput in {precision} over {FULL}, {shape.text}",
            value=median(ratio),
            unit="x",
        )
        for precision, ratio in ratios.items()
    ]
    rows: list[Row] = [
        {
            "model": shape.text,
            "precision": precision,
            "images/s": rates[precision],
            f"{FULL}, images/s": rates[FULL],
            "ratio by start": by_start(ratio),
        }
        for precision, ratio in ratios.items()
    ]
    return figures, rows


def trained_accuracy(config: ExperimentConfig, published: Published, cache: Path) -> float:
    """Train an experiment; returns the fraction of its test images that it calls right."""
    import keras

    from benchmarks.examples import examples
    from bloodcell.artifacts import SPLITS
    from bloodcell.model import seeded_model
    from bloodcell.training import fit, predict

    keras.utils.clear_session()  # of the training before
    found = examples(published, config, cache)
    model = seeded_model(config, len(published.info.labels), None)
    fit(model, config, found, lambda *_: None)
    called = predict(model, config, found).argmax(axis=1)
    rows = found.rows(*SPLITS)
    tested = np.isin(rows, found.rows("test"))
    return float((called == found.labels[rows])[tested].mean())


def compare_accuracy(
    base: ExperimentConfig, mixed: Sequence[str], published: Published, cache: Path, *, seeds: int
) -> tuple[list[Figure], list[str]]:
    """Train with each seed in each precision; returns the differences to float32 in points, and a sentence on each."""
    accuracies: dict[str, list[float]] = {precision: [] for precision in (FULL, *mixed)}
    for seed in range(seeds):
        for precision, found in accuracies.items():
            config = base.model_copy(update={"precision": precision, "seed": seed})
            found.append(trained_accuracy(config, published, cache))
    chance = 100 / len(published.info.labels)
    means = {precision: 100 * float(np.mean(found)) for precision, found in accuracies.items()}
    figures, sentences = [], []
    for precision in mixed:
        change = Difference.of(accuracies[precision], accuracies[FULL])
        pairs = zip(accuracies[precision], accuracies[FULL], strict=True)
        figures.append(
            Figure(
                key=f"{precision}-accuracy",
                text=f"test accuracy, {precision} minus {FULL}, {base.network}, {base.side} px (95% interval)",
                value=100 * change.mean,
                interval=(100 * change.low, 100 * change.high),
                unit="points",
            )
        )
        sentences.append(
            f"Mean test accuracy over {seeds} seeds is {means[FULL]:.1f}% in {FULL} and {means[precision]:.1f}% in "
            f"{precision}. Chance is {chance:.0f}%. By seed, in {precision} and in {FULL}: {_pairs(pairs)}."
        )
    return figures, sentences


def _pairs(accuracies: Iterable[tuple[float, float]]) -> str:
    return ", ".join(f"{100 * own:.0f} and {100 * full:.0f}%" for own, full in accuracies)


@click.command(help=__doc__)
@options.data
@click.option("--model", "models", multiple=True, default=("MobileNet:128:0.25", "MobileNet:128"))
@click.option("--precision", "mixed", multiple=True, type=click.Choice(MIXED), default=MIXED, show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@options.starts
@click.option("--rounds", default=3, show_default=True, help="Turns of each precision, a start.")
@click.option("--steps", default=4, show_default=True, help="Training steps a turn.")
@click.option("--count", default=2000, show_default=True, help="Images of the trainings.")
@click.option("--side", default=48, show_default=True, help="Of these images, in pixels.")
@click.option("--epochs", default=15, show_default=True)
@click.option("--seeds", type=click.IntRange(min=2), default=12, show_default=True, help="Trainings in each precision.")
@options.threads
@options.results
def main(
    *,
    data: Path | None,
    models: tuple[str, ...],
    mixed: tuple[str, ...],
    batch_size: int,
    starts: int,
    rounds: int,
    steps: int,
    count: int,
    threads: int,
    folder: Path,
    side: int,
    epochs: int,
    seeds: int,
) -> None:
    """Compare throughput, then accuracy, and save the figures."""
    from bloodcell.keras_import import import_keras

    import_keras()
    from bloodcell.training import set_up

    turns = {"batch_size": batch_size, "starts": starts, "rounds": rounds, "steps": steps, "threads": threads}
    measured = [compare_throughput(Shape.parse(text), mixed, **turns) for text in models]
    set_up(0, threads)
    base = load_grid("demo").rows[0].config.model_copy(update={"image_size": side, "epochs": epochs})
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        published = Published.of(chosen, Path(temporary) / "store")
        changes, sentences = compare_accuracy(base, mixed, published, Path(temporary) / "cache", seeds=seeds)
    save(
        "precision",
        __doc__,
        folder,
        images=f"random pixels for throughput, {images} for accuracy",
        settings=turns | {"side": side, "epochs": epochs, "seeds": seeds},
        figures=[*(figure for figures, _ in measured for figure in figures), *changes],
        rows=[row for _, rows in measured for row in rows],
        notes=sentences,
    )


if __name__ == "__main__":
    main()
