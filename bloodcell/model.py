"""The network: an ImageNet backbone, Flatten, hidden layers with dropout, softmax.

The model takes images as they are (RGB, 0 to 255); what the backbone wants of its input is part of
the graph. So a saved model needs no companion code, and stock Keras loads it.
"""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import get_ident
from typing import Any

import keras
import tensorflow as tf

from bloodcell import adam, batch_norm, convolutions, faster
from bloodcell.augmentation import move_at_once
from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.errors import TransientError, WeightsError


def seeded_model(config: ExperimentConfig, classes: int, weights: Path | None) -> keras.Model:
    """The untrained model, whatever is drawn at random besides.

    Keras draws a layer's seed from Python's global generator, and so does botocore how long it waits before it asks a
    server again: a store that failed while the images were fetched, or while the lease's thread renews it, would else
    lead to other initial weights.
    """
    keras.utils.set_random_seed(config.seed)
    with _undisturbed_draws(config.seed):
        return build_model(config, classes, weights)


def build_model(config: ExperimentConfig, classes: int, weights: Path | None = None) -> keras.Model:
    """The untrained, compiled model of an experiment.

    Input is float32 or uint8 of shape (batch, side, side, 3), RGB from 0 to 255; output float32 of shape
    (batch, classes), probabilities. Initial weights come from Keras's global seed.

    Args:
        config: The experiment.
        classes: Number of classes.
        weights: The backbone's weights file where `config.weights` names one.

    Raises:
        WeightsError: The weights do not fit the backbone, or cannot be read.
        TransientError: ImageNet's weights cannot be downloaded.
    """
    with _dtype_policy(config.precision):
        return _build(config, classes, weights)


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model as one of Keras's own layers alone.

    Args:
        model: As from `build_model`.
        path: Of the file, which ends in .keras.
    """
    with faster.stock(model), adam.stock(model.optimizer):
        model.save(path)


@contextmanager
def _undisturbed_draws(seed: int) -> Iterator[None]:
    """Give this thread what Python's global generator draws from that seed, whatever others draw from it."""
    own, this, shared = random.Random(seed), get_ident(), random.randint  # noqa: S311 - it is to be repeatable

    def randint(a: int, b: int) -> int:
        return (own.randint if get_ident() == this else shared)(a, b)

    random.randint = randint
    try:
        yield
    finally:
        random.randint = shared


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """Keras's layers take their policy from this global."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _build(config: ExperimentConfig, classes: int, weights: Path | None) -> keras.Model:
    backbone = _backbone(config, weights)
    batch_norm.fuse(backbone)
    convolutions.pad_within(backbone)
    _freeze(backbone, config)
    image = keras.Input((config.side, config.side, 3), name="image")
    x = image
    for layer in _augmentation(config.augmentation):
        x = layer(x)
    x = _keras_module(config).preprocess_input(x)
    x = keras.layers.Flatten()(backbone(x))
    for _ in range(config.hidden_layers):
        x = keras.layers.Dense(config.dense_units, activation="relu")(x)
        x = keras.layers.Dropout(config.dropout)(x)
    # Probabilities stay float32 under mixed precision: float16 has no room for small ones.
    probabilities = keras.layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)
    model = keras.Model(image, probabilities, name=config.backbone.lower())
    model.compile(
        optimizer=keras.optimizers.get(
            {"class_name": config.optimizer, "config": {"learning_rate": config.learning_rate}}
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    adam.fuse(model.optimizer)
    if not tf.config.list_physical_devices("GPU"):  # cuDNN has its own ways, and may have the images in another layout
        faster_layers = convolutions.pointwise(model) | batch_norm.with_relu(backbone)
        model.train_step = faster.learning_step(model, faster_layers)
    return model


def _keras_module(config: ExperimentConfig) -> Any:
    return import_module(f"keras.applications.{config.row.module}")


def _backbone(config: ExperimentConfig, weights: Path | None) -> keras.Model:
    options: dict[str, Any] = {"alpha": config.width} if config.row.has_width else {}
    imagenet = "imagenet" if config.weights == "imagenet" else None
    constructor = getattr(_keras_module(config), config.row.constructor)
    try:
        backbone = constructor(
            include_top=False, weights=imagenet, input_shape=(config.side, config.side, 3), **options
        )
    except OSError as error:  # h5py, of a file that a killed download left behind
        raise WeightsError(
            f"ImageNet weights of {config.network} cannot be read: {error}",
            remedy="delete them from ~/.keras/models and run again",
        ) from error
    except Exception as error:  # keras.utils.get_file raises no class of its own
        if not str(error).startswith("URL fetch failure"):
            raise
        raise TransientError(
            f"ImageNet weights of {config.network} could not be downloaded: {error}",
            remedy="check the network, name a file by weights=<path>.weights.h5, or start at random by weights=none",
        ) from error
    if weights is not None:
        try:
            # Keras only warns of layers for which the file holds nothing, and leaves them random.
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                backbone.load_weights(weights)
        except (ValueError, KeyError, OSError, UserWarning) as error:
            reason = "it lacks some of the layers" if isinstance(error, UserWarning) else _first_line(error)
            raise WeightsError(
                f"{config.weights} does not fit {config.network} without its top: {reason}",
                remedy="name weights that Model.save_weights wrote for this backbone and width with include_top=False",
            ) from error
    return backbone


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _freeze(backbone: keras.Model, config: ExperimentConfig) -> None:
    """Let only the layers train that the configuration names; frozen batch normalisation keeps its statistics."""
    if config.trainable == "all":
        return
    weighted = [layer for layer in backbone.layers if layer.weights]
    count = 0 if config.trainable == "head" else config.trainable
    for layer in weighted[: max(0, len(weighted) - count)]:
        layer.trainable = False


def _augmentation(augmentation: Augmentation | None) -> list[keras.Layer]:
    """Layers that act in training alone."""
    if augmentation is None:
        return []
    layers: list[keras.Layer] = []
    # Two layers: one of both modes turns an image by half, or leaves it, and mirrors none.
    if augmentation.horizontal_flip:
        layers.append(keras.layers.RandomFlip("horizontal"))
    if augmentation.vertical_flip:
        layers.append(keras.layers.RandomFlip("vertical"))
    if augmentation.rotation:
        layers.append(keras.layers.RandomRotation(augmentation.rotation / 360))
    if augmentation.shift:
        layers.append(keras.layers.RandomTranslation(augmentation.shift, augmentation.shift))
    move_at_once(layers)
    return layers
