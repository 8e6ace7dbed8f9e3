"""Seed, fit and predict: all that touches a model's numbers after it is built."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from bloodcell.artifacts import SPLITS, EpochRecord
from bloodcell.config import ExperimentConfig
from bloodcell.data.pipeline import Examples
from bloodcell.errors import DeviceMemoryError, DivergedError
from bloodcell.waiting import Waiting, measured


@dataclass(frozen=True)
class Training:
    """What a fit left behind besides the fitted model.

    Attributes:
        history: One record an epoch.
        seconds: Wall-clock from the start to the end of the last epoch, validation included, in seconds.
        kept_epoch: The epoch whose weights the model has: the last, or the best where early stopping restores it.
    """

    history: tuple[EpochRecord, ...]
    seconds: float
    kept_epoch: int


def set_up(seed: int, threads: int, gpu_memory: int | None = None) -> str:
    """Seed everything and set the CPU threads and the GPU memory, before any operation runs.

    Args:
        seed: The experiment's.
        threads: CPU threads to compute with.
        gpu_memory: MiB that may be taken of each GPU, all of them at the first operation. Where left out, as much as
            is needed is taken, when it is: TensorFlow's own default, all there is, would leave other experiments none.

    Returns:
        What will compute: `CPU`, or the name of the first GPU.
    """
    keras.utils.set_random_seed(seed)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        if gpu_memory is None:
            tf.config.experimental.set_memory_growth(gpu, True)
        else:
            limited = tf.config.LogicalDeviceConfiguration(memory_limit=gpu_memory)
            tf.config.set_logical_device_configuration(gpu, [limited])
    if gpus:
        return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
    # On a CPU it costs next to nothing; on a GPU some operations have no deterministic form.
    tf.config.experimental.enable_op_determinism()
    return "CPU"


def fit(
    model: keras.Model, config: ExperimentConfig, examples: Examples, on_epoch: Callable[[EpochRecord], None]
) -> Training:
    """Train `model` in place.

    Args:
        model: The compiled model.
        config: The experiment.
        examples: Images to train and validate on.
        on_epoch: Called with each epoch's record.

    Raises:
        DivergedError: A loss became NaN or infinite.
        DeviceMemoryError: The device has too little memory.
    """
    stopping = _early_stopping(config)
    train, steps = examples.training_batches(batch_size=config.batch_size, epochs=config.epochs, seed=config.seed)
    validation = examples.evaluation_batches("validation", batch_size=_evaluation_batch(config))
    started = time.perf_counter()
    with _memory_errors(config), measured(model, train, validation) as waiting:
        _create_variables(model)
        recorder = _Recorder(config, waiting, on_epoch)
        model.fit(
            train,
            epochs=config.epochs,
            steps_per_epoch=steps,
            validation_data=validation,
            callbacks=[recorder] if stopping is None else [recorder, stopping],
            shuffle=False,
            verbose=0,
        )
    kept_epoch = len(recorder.history)
    if stopping is not None and stopping.restore_best_weights:
        kept_epoch = stopping.best_epoch + 1
    return Training(tuple(recorder.history), recorder.ended - started, kept_epoch)


def _create_variables(model: keras.Model) -> None:
    """Create the optimizer's variables and the metrics': the train step, which would, is then traced once, not twice.

    It takes seconds off every training, and changes no number of it.
    """
    model.optimizer.build(model.trainable_variables)
    probabilities = np.full((1, model.output_shape[-1]), 1 / model.output_shape[-1], np.float32)
    model.compute_metrics(None, np.zeros(1, np.int32), probabilities)
    model.reset_metrics()


def predict(model: keras.Model, config: ExperimentConfig, examples: Examples) -> npt.NDArray[np.float32]:
    """Probabilities of the images in `SPLITS`, in order, dropout off.

    Returns:
        Shape (images, classes).

    Raises:
        DeviceMemoryError: The device has too little memory.
    """
    with _memory_errors(config):
        batches = examples.evaluation_batches(*SPLITS, batch_size=_evaluation_batch(config))
        probabilities: npt.NDArray[np.float32] = model.predict(batches, verbose=0)
    return probabilities


def _evaluation_batch(config: ExperimentConfig) -> int:
    """Without gradients a larger batch fits; but who lowers the batch size to save memory lowers this too."""
    return min(128, 4 * config.batch_size)


def _early_stopping(config: ExperimentConfig) -> keras.callbacks.EarlyStopping | None:
    if config.early_stopping is None:
        return None
    return keras.callbacks.EarlyStopping(
        config.early_stopping.monitor,
        min_delta=config.early_stopping.min_delta,
        patience=config.early_stopping.patience,
        restore_best_weights=config.early_stopping.restore_best,
    )


@contextmanager
def _memory_errors(config: ExperimentConfig) -> Iterator[None]:
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise DeviceMemoryError(
            f"memory ran out at batch_size {config.batch_size} and image_size {config.side} px",
            remedy="lower batch_size or image_size, or run fewer experiments at once (BLOODCELL_SLOTS)",
        ) from error


class _Recorder(keras.callbacks.Callback):
    """Keeps the history, and ends a training whose loss is no number."""

    def __init__(self, config: ExperimentConfig, waiting: Waiting, on_epoch: Callable[[EpochRecord], None]) -> None:
        super().__init__()
        self.history: list[EpochRecord] = []
        self._config = config
        self._waiting = waiting
        self._on_epoch = on_epoch
        self.ended = 0.0
        self._started = 0.0
        self._waited = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._started = time.perf_counter()
        self._waited = self._waiting.seconds

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        figures = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        self._check(epoch + 1, figures)
        self.ended = time.perf_counter()
        seconds, waiting = self.ended - self._started, self._waiting.seconds - self._waited
        record = EpochRecord(epoch=epoch + 1, seconds=seconds, waiting=waiting, **figures)
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
