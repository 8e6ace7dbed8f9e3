"""Training throughput against stock Keras: images per second of full fine-tuning, by backbone and side of the image.

All sides train the same architecture with the same optimizer through `Model.fit`, on one batch that is in memory: no
input pipeline is measured, that is `input_limit`. Stock is what `keras.applications` and `compile` give; ours is
`bloodcell.model.build_model` in a process that `bloodcell.training.set_up` prepared, and so with TensorFlow's op
determinism, with the steps of `bloodcell.waiting`, and with the kernel of `bloodcell.batch_norm_relu` where that is
compiled. Ours has the kernels of oneDNN; stock has them on processors for which TensorFlow turns them on by itself,
those with AVX-512 VNNI or more, and a third side is stock with them on any. On a processor of the former kind the two
stock sides are the same: how far they differ there is what this method cannot tell.

All this is switched for a whole process: so each side is a process of its own, and they take turns, the others waiting
while one trains. All are started several times, as two processes that do the same do not take the same time either; the
ratio is the median of the starts' medians. The first steps, in which TensorFlow traces, are not counted.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import numpy as np

from benchmarks import options
from benchmarks.comparing import Side, Turns, by_start
from benchmarks.results import Figure, Row, save
from bloodcell.backbones import BACKBONES
from bloodcell.config import ExperimentConfig

CLASSES = 4


class Shape(NamedTuple):
    """A model as the command line names it, `MobileNet:128` or `MobileNet:128:0.25`, and the bar where it has one."""

    backbone: str
    side: int
    width: float = 1.0
    at_least: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Shape":
        """The shape of that name; one of `BARS` keeps its bar."""
        backbone, side, width = [*text.split(":"), "", ""][:3]
        shape = cls(backbone, int(side or BACKBONES[backbone].image_size), float(width or 1))
        return next((barred for barred in BARS if barred[:3] == shape[:3]), shape)

    @property
    def text(self) -> str:
        """As a table names it."""
        return f"{self.config(1).network}, {self.side} px"

    @property
    def key(self) -> str:
        """As the key of a figure has it."""
        return f"{self.config(1).network}-{self.side}".lower().replace("(", "-").replace(")", "")

    def config(self, batch_size: int) -> ExperimentConfig:
        """An experiment of this shape from random weights, which train as fast as others."""
        return ExperimentConfig.model_validate(
            {
                "backbone": self.backbone,
                "width": self.width,
                "image_size": self.side,
                "batch_size": batch_size,
                "weights": "none",
            }
        )


BARS = (
    Shape("MobileNet", 128, at_least=1.6),
    Shape("MobileNet", 224, at_least=1.6),
    Shape("InceptionV3", 139, at_least=1.1),
    Shape("ResNet50", 139, at_least=1.1),
)

SHAPES = (*BARS, Shape("MobileNet", 128, 0.25), Shape("Xception", 139), Shape("VGG16", 64))
"""Those that have a bar, the MobileNet that `vs_notebook` trains, and the other backbones, at sides for a CPU."""


def stock(config: ExperimentConfig, threads: int, steps: int) -> Callable[[], object]:
    """Prepare the side of stock Keras as it comes; the function that it returns trains `steps` steps."""
    os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
    return _stock(config, threads, steps)


def stock_with_onednn(config: ExperimentConfig, threads: int, steps: int) -> Callable[[], object]:
    """Prepare the side of stock Keras where a user has set the variable."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    return _stock(config, threads, steps)


def _stock(config: ExperimentConfig, threads: int, steps: int) -> Callable[[], object]:
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(config.seed)
    return _steps(stock_model(config), _batches(config), steps)


def ours(config: ExperimentConfig, threads: int, steps: int) -> Callable[[], object]:
    """Prepare our side; the function that it returns trains `steps` steps."""
    os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)  # ours sets it by itself
    from bloodcell.keras_import import import_keras

    import_keras()
    from bloodcell.model import build_model
    from bloodcell.training import set_up
    from bloodcell.waiting import Waiting

    set_up(config.seed, threads)
    model, batches = build_model(config, CLASSES), _batches(config)
    thread = ThreadPoolExecutor(1)
    model.train_function = Waiting().timed(model.train_step, batches.element_spec, thread)
    return _steps(model, batches, steps)


def stock_model(config: ExperimentConfig) -> Any:
    """The model of an experiment as a user of Keras writes it: keras.applications, the head, and `compile`."""
    import keras

    applications = import_module(f"keras.applications.{config.row.module}")
    width = {"alpha": config.width} if config.row.has_width else {}
    shape = (config.side, config.side, 3)
    backbone = getattr(applications, config.row.constructor)(
        include_top=False, weights=None, input_shape=shape, **width
    )
    image = keras.Input(shape)
    x = keras.layers.Flatten()(backbone(applications.preprocess_input(image)))
    for _ in range(config.hidden_layers):
        x = keras.layers.Dropout(config.dropout)(keras.layers.Dense(config.dense_units, activation="relu")(x))
    model = keras.Model(image, keras.layers.Dense(CLASSES, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(config.learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _batches(config: ExperimentConfig) -> Any:
    """One batch of random pixels, for ever."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.batch_size, config.side, config.side, 3), np.uint8)
    labels = np.arange(config.batch_size, dtype=np.int32) % CLASSES
    options = tf.data.Options()
    options.autotune.enabled = False  # its thread sleeps on for a second after a turn, which would count
    return tf.data.Dataset.from_tensors((images, labels)).repeat().with_options(options)


def _steps(model: Any, batches: Any, steps: int) -> Callable[[], object]:
    def train() -> None:
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    train()
    return train


def compare(
    shape: Shape, *, batch_size: int, threads: int, starts: int, rounds: int, steps: int
) -> tuple[list[Figure], Row]:
    """Measure one shape.

    Returns:
        The ratios to both sides of stock Keras, and the line of the table.
    """
    arguments = (shape.config(batch_size), threads, steps)
    prepares = {"stock": stock, "oneDNN": stock_with_onednn, "ours": ours}
    turns = Turns.take(
        {name: partial(Side, prepare, *arguments) for name, prepare in prepares.items()}, starts=starts, rounds=rounds
    )
    ratios = {name: turns.ratios(name, "ours") for name in ("stock", "oneDNN")}
    rates = {name: round(batch_size * steps / turns.seconds(name), 1) for name in prepares}
    said = {"stock": ("", "as it comes"), "oneDNN": ("onednn-", "with oneDNN")}
    figures = [
        Figure(
            key=f"throughput-{prefix}{shape.key}",
            text=f"training throughput over stock Keras {how}, {shape.text}",
            value=median(ratios[name]),
            unit="x",
            at_least=shape.at_least,  # of both: there are processors on which stock Keras comes with oneDNN
        )
        for name, (prefix, how) in said.items()
    ]
    return figures, {
        "model": shape.text,
        "stock Keras, images/s": rates["stock"],
        "stock with oneDNN, images/s": rates["oneDNN"],
        "ours, images/s": rates["ours"],
        "ratio to stock by start": by_start(ratios["stock"]),
        "to stock with oneDNN by start": by_start(ratios["oneDNN"]),
    }


@click.command(help=__doc__)
@click.option(
    "--model", "models", multiple=True, metavar="BACKBONE[:SIDE[:WIDTH]]", help="Instead of those measured by default."
)
@click.option("--batch-size", default=32, show_default=True)
@options.threads
@options.starts
@click.option("--rounds", default=5, show_default=True, help="Turns of each side, a start.")
@click.option(
    "--steps", default=5, show_default=True, help="Training steps a turn, which the start of fit is a part of."
)
@options.results
def main(models: tuple[str, ...], *, folder: Path, **settings: int) -> None:
    """Compare each model and save the figures."""
    measured = [compare(shape, **settings) for shape in [Shape.parse(text) for text in models] or SHAPES]
    from bloodcell.batch_norm_relu import is_compiled  # not before the sides have had the machine to themselves

    save(
        "throughput",
        __doc__,
        folder,
        images="random pixels",
        settings=settings,
        figures=[figure for figures, _ in measured for figure in figures],
        rows=[row for _, row in measured],
        notes=[] if is_compiled() else ["The kernel of `bloodcell.batch_norm_relu` was not compiled here."],
    )


if __name__ == "__main__":
    main()
