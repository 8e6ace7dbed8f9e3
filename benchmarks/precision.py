"""Mixed precision, in bfloat16 and in float16, against float32: training throughput, and what it does to accuracy.

Throughput as in `throughput`, of our model in each precision. For accuracy the same experiments train in each, seed by
seed: split `source`, test on the images of TEST. The differences are means over seeds, with their 95% intervals.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import click
import numpy as np

from benchmarks import options, throughput
from benchmarks.comparing import Difference, Ratio, Side, alternate
from benchmarks.photographs import Published, photographs, weights_file
from benchmarks.results import Figure, Row, save
from benchmarks.throughput import Shape
from bloodcell.config import ExperimentConfig

FULL = "float32"
MIXED = ("mixed_bfloat16", "mixed_float16")


def compare_throughput(
    shape: Shape, mixed: Sequence[str], *, batch_size: int, threads: int, rounds: int, steps: int
) -> tuple[list[Figure], list[Row]]:
    """Measure one shape in float32 and in each mixed precision; returns the ratios and the lines of the table."""
    with ExitStack() as stack:
        turns = {}
        for precision in (FULL, *mixed):
            config = shape.config(batch_size).model_copy(update={"precision": precision})
            turns[precision] = stack.enter_context(Side(throughput.ours, config, threads, steps)).turn
        seconds = alternate(turns, rounds)
    rates = {precision: round(batch_size * steps / median(taken), 1) for precision, taken in seconds.items()}
    ratios = {precision: Ratio.of(seconds[FULL], seconds[precision]) for precision in mixed}
    figures = [
        Figure(
            key=f"{precision}-{shape.key}",
            text=f"training throughput in {precision} over {FULL}, {shape.text}",
            value=ratio.median,
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
            "ratio (least to largest)": str(ratio),
        }
        for precision, ratio in ratios.items()
    ]
    return figures, rows


def trained_accuracy(config: ExperimentConfig, published: Published, weights: Path | None, cache: Path) -> float:
    """Train an experiment; returns the fraction of its test images that it calls right."""
    import keras

    from benchmarks.examples import examples
    from bloodcell.artifacts import SPLITS
    from bloodcell.model import build_model
    from bloodcell.training import fit, predict

    keras.utils.clear_session()  # of the training before
    keras.utils.set_random_seed(config.seed)
    found = examples(published, config, cache)
    model = build_model(config, len(published.info.labels), weights)
    fit(model, config, found, lambda *_: None)
    called = predict(model, config, found).argmax(axis=1)
    rows = found.rows(*SPLITS)
    tested = np.isin(rows, found.rows("test"))
    return float((called == found.labels[rows])[tested].mean())


def compare_accuracy(
    published: Published,
    weights: Path | None,
    cache: Path,
    mixed: Sequence[str],
    *,
    width: float,
    side: int,
    epochs: int,
    seeds: int,
) -> tuple[list[Figure], list[str]]:
    """Train with each seed in each precision; returns the differences to float32 in points, and a sentence on each."""
    base = ExperimentConfig.model_validate(
        {
            "backbone": "MobileNet",
            "width": width,
            "weights": str(weights or "none"),
            "image_size": side,
            "learning_rate": 1e-4,
            "batch_size": 16,
            "epochs": epochs,
        }
    )
    accuracies: dict[str, list[float]] = {precision: [] for precision in (FULL, *mixed)}
    for seed in range(seeds):
        for precision, found in accuracies.items():
            config = base.model_copy(update={"precision": precision, "seed": seed})
            found.append(trained_accuracy(config, published, weights, cache))
    means = {precision: 100 * float(np.mean(found)) for precision, found in accuracies.items()}
    figures, sentences = [], []
    for precision in mixed:
        change = Difference.of(accuracies[precision], accuracies[FULL])
        figures.append(
            Figure(
                key=f"{precision}-accuracy",
                text=f"test accuracy in {precision} minus that in {FULL}, {base.network} at {side} px, {epochs} epochs",
                value=100 * change.mean,
                unit="points",
            )
        )
        sentences.append(
            f"Mean test accuracy over {seeds} seeds is {means[FULL]:.1f}% in {FULL} and {means[precision]:.1f}% in "
            f"{precision}: a difference of {100 * change.mean:+.1f} points (95% interval {100 * change.low:+.1f} to "
            f"{100 * change.high:+.1f})."
        )
    return figures, sentences


@click.command(help=__doc__)
@options.data
@options.weights
@click.option("--model", "models", multiple=True, default=("MobileNet:128:0.25", "MobileNet:128", "ResNet50:139"))
@click.option("--precision", "mixed", multiple=True, type=click.Choice(MIXED), default=MIXED, show_default=True)
@click.option("--batch-size", default=32, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Turns of each precision.")
@click.option("--steps", default=4, show_default=True, help="Training steps a turn.")
@click.option("--count", default=2000, show_default=True, help="Images of the trainings.")
@click.option("--width", default=0.25, show_default=True, help="Of the MobileNet that trains.")
@click.option("--side", default=128, show_default=True, help="Of its images, in pixels.")
@click.option("--epochs", default=3, show_default=True)
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Trainings in each precision.")
@options.threads
@options.results
def main(
    *,
    data: Path | None,
    weights: Path | None,
    models: tuple[str, ...],
    mixed: tuple[str, ...],
    batch_size: int,
    rounds: int,
    steps: int,
    count: int,
    threads: int,
    folder: Path,
    width: float,
    **trainings: int,
) -> None:
    """Compare throughput, then accuracy, and save the figures."""
    from bloodcell.keras_import import import_keras

    import_keras()
    from bloodcell.training import set_up

    turns = {"batch_size": batch_size, "rounds": rounds, "steps": steps, "threads": threads}
    measured = [compare_throughput(Shape.parse(text), mixed, **turns) for text in models]
    set_up(0, threads)
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        published = Published.of(chosen, Path(temporary) / "store")
        start = weights_file(weights, width)
        changes, sentences = compare_accuracy(
            published,
            start,
            Path(temporary) / "cache",
            mixed,
            width=width,
            side=trainings["side"],
            epochs=trainings["epochs"],
            seeds=trainings["seeds"],
        )
    save(
        "precision",
        __doc__,
        folder,
        images=f"random pixels for throughput, {images} for accuracy",
        settings=turns | trainings | {"width": width, "weights": start.name if start else "none"},
        figures=[*(figure for figures, _ in measured for figure in figures), *changes],
        rows=[row for _, rows in measured for row in rows],
        notes=sentences,
    )


if __name__ == "__main__":
    main()
