"""Fit a model, and say after every epoch how it goes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from bloodcell.artifacts import EpochRecord
from bloodcell.config import ExperimentConfig
from bloodcell.errors import DivergedError


@dataclass(frozen=True)
class Training:
    """What a fit left behind besides the fitted model.

    Attributes:
        history: One record an epoch.
        seconds: Wall-clock of all epochs including validation, in seconds.
    """

    history: tuple[EpochRecord, ...]
    seconds: float


def fit(
    model: keras.Model,
    config: ExperimentConfig,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    *,
    steps: int,
    on_epoch: Callable[[EpochRecord], None],
) -> Training:
    """Train `model` in place.

    Args:
        model: The compiled model.
        config: The experiment.
        train: Batches of all epochs, one after another.
        validation: Batches of the validation images.
        steps: Batches an epoch.
        on_epoch: Called with each epoch's record.

    Raises:
        DivergedError: A loss became NaN or infinite.
    """
    recorder = _Recorder(config, on_epoch)
    callbacks: list[keras.callbacks.Callback] = [recorder]
    if config.early_stopping is not None:
        stopping = config.early_stopping
        callbacks.append(
            keras.callbacks.EarlyStopping(
                stopping.monitor,
                min_delta=stopping.min_delta,
                patience=stopping.patience,
                restore_best_weights=stopping.restore_best,
            )
        )
    started = time.perf_counter()
    model.fit(
        train,
        epochs=config.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    return Training(tuple(recorder.history), time.perf_counter() - started)


class _Recorder(keras.callbacks.Callback):
    """Keeps the history, and ends a training whose loss is no number."""

    def __init__(self, config: ExperimentConfig, on_epoch: Callable[[EpochRecord], None]) -> None:
        super().__init__()
        self.history: list[EpochRecord] = []
        self._config = config
        self._on_epoch = on_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        figures = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        self._check(epoch + 1, figures)
        record = EpochRecord(epoch=epoch + 1, seconds=time.perf_counter() - self._started, **figures)
        self.history.append(record)
        self._on_epoch(record)

    def _check(self, epoch: int, figures: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(figures[name]):
                raise DivergedError(
                    f"{name} became {figures[name]} in epoch {epoch} of {self._config.epochs} "
                    f"at learning rate {self._config.learning_rate:g}",
                    remedy="lower learning_rate, or set precision: float32 where it is mixed_float16",
                )
