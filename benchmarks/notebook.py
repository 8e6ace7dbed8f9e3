"""The seven rows as a plain Keras notebook trains them: what this project replaces, written as well as one writes it.

It follows the tutorials of Keras and TensorFlow: `image_dataset_from_directory` with `cache`, `shuffle` and `prefetch`,
so that images are decoded once and stay in memory for all rows; `keras.applications`; `compile`, `fit` and `evaluate`;
one row after the other in one process, in float32 with Keras's defaults; learning curves by matplotlib, and a table. It
knows nothing of the rest of this project.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

ROWS: dict[str, dict[str, Any]] = {
    "basic": {"hidden_layers": 1, "dense_units": 8, "learning_rate": 1e-5},
    "dense-16": {"hidden_layers": 1, "dense_units": 16, "learning_rate": 1e-5},
    "dense-32": {"hidden_layers": 1, "dense_units": 32, "learning_rate": 1e-5},
    "hidden-2": {"hidden_layers": 2, "dense_units": 8, "learning_rate": 1e-5},
    "hidden-3": {"hidden_layers": 3, "dense_units": 8, "learning_rate": 1e-5},
    "rate-5e-5": {"hidden_layers": 1, "dense_units": 8, "learning_rate": 5e-5},
    "rate-1e-4": {"hidden_layers": 1, "dense_units": 8, "learning_rate": 1e-4},
}
DROPOUT = 0.5


def load(folder: Path, side: int, batch_size: int, seed: int) -> tuple[Any, Any, Any, int]:
    """Training, validation and test images, and the number of classes."""
    import keras
    import tensorflow as tf

    def read(split: str, *, shuffle: bool) -> Any:
        return keras.utils.image_dataset_from_directory(
            folder / split, image_size=(side, side), batch_size=batch_size, shuffle=shuffle, seed=seed, verbose=False
        )

    train, validation, test = (
        read("train", shuffle=True),
        read("validation", shuffle=False),
        read("test", shuffle=False),
    )
    return (
        train.cache().shuffle(1000, seed=seed).prefetch(tf.data.AUTOTUNE),
        validation.cache().prefetch(tf.data.AUTOTUNE),
        test.cache().prefetch(tf.data.AUTOTUNE),
        len(train.class_names),
    )


def build(row: Mapping[str, Any], classes: int, side: int, width: float, weights: Path | None) -> Any:
    """MobileNet with the head of a row, compiled."""
    import keras
    from keras.applications import mobilenet

    shape = (side, side, 3)
    backbone = mobilenet.MobileNet(input_shape=shape, alpha=width, include_top=False, weights=None)
    if weights:
        backbone.load_weights(weights)
    inputs = keras.Input(shape)
    x = keras.layers.Flatten()(backbone(mobilenet.preprocess_input(inputs)))
    for _ in range(row["hidden_layers"]):
        x = keras.layers.Dense(row["dense_units"], activation="relu")(x)
        x = keras.layers.Dropout(DROPOUT)(x)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile(
        optimizer=keras.optimizers.Adam(row["learning_rate"]),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def draw(history: Mapping[str, list[float]], title: str, path: Path) -> None:
    """The learning curves of a row."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(history[name], label="training")
        axis.plot(history[f"val_{name}"], label="validation")
        axis.set(title=name, xlabel="epoch")
        axis.legend()
    figure.suptitle(title)
    figure.savefig(path)
    plt.close(figure)


@click.command(help=__doc__)
@click.argument("images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--weights", type=click.Path(exists=True, path_type=Path), help="Of the backbone; random otherwise.")
@click.option("--width", default=0.25, show_default=True, help="Keras's alpha.")
@click.option("--side", default=128, show_default=True, help="Of the images, in pixels.")
@click.option("--batch-size", default=16, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option("--times", default=1.0, show_default=True, help="So many times its learning rate has each row.")
@click.option("--seed", default=0, show_default=True)
@click.option("--row", "names", multiple=True, default=tuple(ROWS), help="One of the seven; all of them otherwise.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the curves and figures.json.")
def main(
    *,
    images: Path,
    weights: Path | None,
    width: float,
    side: int,
    batch_size: int,
    epochs: int,
    times: float,
    seed: int,
    names: tuple[str, ...],
    out: Path,
) -> None:
    """Train the rows on the folders train, validation and test of IMAGES."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    out.mkdir(parents=True, exist_ok=True)
    train, validation, test, classes = load(images, side, batch_size, seed)
    table = {}
    for name in names:
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        row = ROWS[name] | {"learning_rate": times * ROWS[name]["learning_rate"]}
        model = build(row, classes, side, width, weights)
        started = time.perf_counter()
        history = model.fit(train, validation_data=validation, epochs=epochs, verbose=0).history
        seconds = time.perf_counter() - started
        loss, accuracy = model.evaluate(test, verbose=0)
        draw(history, name, out / f"{name}.png")
        table[name] = {"loss": loss, "accuracy": accuracy, "learning_seconds": seconds}
        click.echo(f"{name}: test accuracy {accuracy:.4f}, {seconds:.1f} s")
    (out / "figures.json").write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
