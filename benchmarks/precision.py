"""Computing in bfloat16 against float32: training throughput, and what it does to accuracy.

Throughput as in `throughput`, of our model in both precisions. For accuracy the same experiments train in both, seed by
seed: split `source`, test on the images of TEST. The difference is a mean over seeds, with its 95% interval.
"""

import tempfile
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

PRECISIONS = ("float32", "mixed_bfloat16")


def compare_throughput(shape: Shape, *, batch_size: int, threads: int, rounds: int, steps: int) -> tuple[Figure, Row]:
    """Measure one shape in both precisions; returns the ratio and the line of the table."""
    configs = [shape.config(batch_size).model_copy(update={"precision": precision}) for precision in PRECISIONS]
    single, mixed = (Side(throughput.ours, config, threads, steps) for config in configs)
    with single, mixed:
        seconds = alternate(dict(zip(PRECISIONS, (single.turn, mixed.turn), strict=True)), rounds)
    ratio = Ratio.of(*seconds.values())
    figure = Figure(
        key=f"bfloat16-{shape.key}",
        text=f"training throughput in mixed bfloat16 over float32, {shape.text}",
        value=ratio.median,
        unit="x",
    )
    rates = {f"{name}, images/s": round(batch_size * steps / median(taken), 1) for name, taken in seconds.items()}
    return figure, {"model": shape.text, **rates, "ratio (least to largest)": str(ratio)}


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
    published: Published, weights: Path | None, cache: Path, *, width: float, side: int, epochs: int, seeds: int
) -> tuple[Figure, str]:
    """Train with each seed in both precisions; returns the difference in points, and a sentence on it."""
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
    accuracies: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in range(seeds):
        for precision in PRECISIONS:
            config = base.model_copy(update={"precision": precision, "seed": seed})
            accuracies[precision].append(trained_accuracy(config, published, weights, cache))
    change = Difference.of(accuracies["mixed_bfloat16"], accuracies["float32"])
    figure = Figure(
        key="bfloat16-accuracy",
        text=f"test accuracy in mixed bfloat16 minus that in float32, {base.network} at {side} px, {epochs} epochs",
        value=100 * change.mean,
        unit="points",
    )
    single, mixed = (100 * float(np.mean(found)) for found in accuracies.values())
    return figure, (
        f"Mean test accuracy over {seeds} seeds is {single:.1f}% in float32 and {mixed:.1f}% in mixed bfloat16: "
        f"a difference of {100 * change.mean:+.1f} points (95% interval {100 * change.low:+.1f} to "
        f"{100 * change.high:+.1f})."
    )


@click.command(help=__doc__)
@options.data
@options.weights
@click.option("--model", "models", multiple=True, default=("MobileNet:128:0.25", "MobileNet:128", "ResNet50:139"))
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
    measured = [compare_throughput(Shape.parse(text), **turns) for text in models]
    set_up(0, threads)
    with photographs(data, count) as (chosen, images), tempfile.TemporaryDirectory() as temporary:
        published = Published.of(chosen, Path(temporary) / "store")
        start = weights_file(weights, width)
        change, sentence = compare_accuracy(
            published,
            start,
            Path(temporary) / "cache",
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
        figures=[*(figure for figure, _ in measured), change],
        rows=[row for _, row in measured],
        notes=[sentence],
    )


if __name__ == "__main__":
    main()
