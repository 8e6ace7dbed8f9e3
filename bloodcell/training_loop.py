"""The epochs of a training, as `keras.Model.fit` runs them: the numbers are its own to the bit.

Unlike `fit` it can be copied between any two steps, and begin where a copy was made.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bloodcell.artifacts import EpochRecord
from bloodcell.checkpoints import Arrays, Checkpoint, Moment, Patience, Progress
from bloodcell.config import ExperimentConfig
from bloodcell.errors import CorruptObjectError, DivergedError
from bloodcell.waiting import Waiting

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Training:
    """What a fit left behind besides the fitted model.

    Attributes:
        history: One record an epoch.
        seconds: Wall-clock from the start to the end of the last epoch, validation included, in seconds; of a training
            that was interrupted, of what it did not have to do again.
        kept_epoch: The epoch whose weights the model has: the last, or the best where early stopping restores it.
    """

    history: tuple[EpochRecord, ...]
    seconds: float
    kept_epoch: int


class AfterEachBatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls `act` with the number of the batch, from 0, that was evaluated or predicted."""

    def __init__(self, act: Callable[[int], None]) -> None:
        super().__init__()
        self._act = act

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Of `evaluate`."""
        self._act(batch)

    def on_predict_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Of `predict`."""
        self._act(batch)


class Loop:
    """A training from its first step, or from a checkpoint, to its last.

    Args:
        model: The compiled model; its optimizer and metrics have their variables before any method is called.
        config: The experiment.
        steps: Training steps an epoch.
        stopping: Early stopping, if any.

    Attributes:
        epoch: Epochs that have ended.
        step: Steps of the next one that are done.
    """

    def __init__(
        self, model: keras.Model, config: ExperimentConfig, steps: int, stopping: keras.callbacks.EarlyStopping | None
    ) -> None:
        self.epoch = 0
        self.step = 0
        self._model = model
        self._config = config
        self._steps = steps
        self._stopping = stopping
        self._history: list[EpochRecord] = []
        self._metrics: Arrays | None = None  # those of training, while validation has the variables
        self._seconds = self._epoch_seconds = self._epoch_waiting = 0.0  # up to `_began`
        self._began = time.perf_counter()
        self._waiting = Waiting()
        model.stop_training = False
        if stopping is not None:
            stopping.set_model(model)
            stopping.on_train_begin()

    def run(
        self,
        train: tf.data.Dataset,
        validation: tf.data.Dataset,
        waiting: Waiting,
        on_epoch: Callable[[EpochRecord, Moment], None],
        on_step: Callable[[Moment], None],
    ) -> None:
        """Train to the end; see `bloodcell.training.fit`.

        Args:
            train: Batches from the first that is still to be trained on.
            validation: Batches to validate on.
            waiting: Of the model's two functions, which it has already.
            on_epoch: Called after each epoch.
            on_step: Called after each step.
        """
        model, batches = self._model, iter(train)
        self._waiting = waiting
        each_step = AfterEachBatch(lambda _: on_step(self._moment()))
        while self.epoch < self._config.epochs and not model.stop_training:
            if self.step == 0:
                model.reset_metrics()
            while self.step < self._steps:
                model.train_function(batches)
                self.step += 1
                on_step(self._moment())
            self._metrics = self._metric_arrays()
            figures = model.get_metrics_result()
            validated = model.evaluate(validation, callbacks=[each_step], return_dict=True, verbose=0)
            on_epoch(self._end_epoch(figures, validated), self._moment())
        if self._stopping is not None:
            self._stopping.on_train_end()

    def training(self) -> Training:
        """What the training left behind."""
        stopping, kept = self._stopping, self.epoch
        if stopping is not None and stopping.restore_best_weights:
            kept = stopping.best_epoch + 1
        return Training(tuple(self._history), self._seconds, kept)

    def _moment(self) -> Moment:
        return Moment(self.epoch, self.step, self._copy)

    def _copy(self) -> Checkpoint:
        passed, stopping = self._passed(), self._stopping
        progress = Progress(
            epoch=self.epoch,
            step=self.step,
            history=tuple(self._history),
            seconds=self._seconds + passed,
            epoch_seconds=self._epoch_seconds + passed,
            epoch_waiting=self._epoch_waiting + self._waiting.seconds,
            patience=None if stopping is None else _patience(stopping),
        )
        arrays = _arrays("model", self._model.variables) | _arrays("optimizer", self._model.optimizer.variables)
        metrics = self._metrics or self._metric_arrays()
        return Checkpoint(progress, arrays | dict(metrics) | _best(stopping))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what was copied, before anything is run.

        Raises:
            CorruptObjectError: It is not of such a training; nothing has changed.
        """
        progress, found = checkpoint.progress, checkpoint.arrays
        own = _arrays("model", self._model.variables) | _arrays("optimizer", self._model.optimizer.variables)
        own |= self._metric_arrays()
        other = {name for name in found if not name.startswith("best/")} ^ set(own)
        other |= {name for name in own if name in found and _kind(own[name]) != _kind(found[name])}
        if other or progress.step > self._steps or (progress.patience is None) != (self._stopping is None):
            what = f"{sorted(other)[0]} is not as in the model" if other else "it is not of this training"
            raise CorruptObjectError(what, remedy="nothing needs to be done: training starts at its beginning")
        _assign(self._model.variables, "model", found)
        _assign(self._model.optimizer.variables, "optimizer", found)
        _assign(self._model.metrics_variables, "metrics", found)
        self.epoch, self.step, self._history = progress.epoch, progress.step, list(progress.history)
        self._seconds = progress.seconds
        self._epoch_seconds, self._epoch_waiting = progress.epoch_seconds, progress.epoch_waiting
        if self._stopping is not None and progress.patience is not None:
            self._restore_stopping(self._stopping, progress.patience, found)

    def _restore_stopping(self, stopping: keras.callbacks.EarlyStopping, known: Patience, found: Arrays) -> None:
        stopping.best, stopping.best_epoch, stopping.wait = known.best, known.best_epoch, known.wait
        stopping.stopped_epoch = known.stopped_epoch
        best = [found[name] for name in sorted(found) if name.startswith("best/")]
        stopping.best_weights = best or None
        self._model.stop_training = known.stopped_epoch > 0

    def _end_epoch(self, trained: dict[str, Any], validated: dict[str, Any]) -> EpochRecord:
        figures = trained | {f"val_{name}": value for name, value in validated.items()}
        values = {name: float(figures[name]) for name in _FIGURES}
        self._check(values)
        passed, waited = self._passed(), self._waiting.seconds
        record = EpochRecord(
            epoch=self.epoch + 1,
            seconds=self._epoch_seconds + passed,
            waiting=self._epoch_waiting + waited,
            **values,
        )
        self._history.append(record)
        self._seconds += passed
        self._epoch_seconds = self._epoch_waiting = 0.0
        self._waiting.seconds, self._began = 0.0, time.perf_counter()
        if self._stopping is not None:
            self._stopping.on_epoch_end(self.epoch, values)
        self.epoch, self.step, self._metrics = self.epoch + 1, 0, None
        return record

    def _passed(self) -> float:
        return time.perf_counter() - self._began

    def _metric_arrays(self) -> Arrays:
        return _arrays("metrics", self._model.metrics_variables)

    def _check(self, figures: dict[str, float]) -> None:
        for name in ("loss", "val_loss"):
            if not math.isfinite(figures[name]):
                raise DivergedError(
                    f"{name} became {figures[name]} in epoch {self.epoch + 1} of {self._config.epochs} "
                    f"at learning rate {self._config.learning_rate:g}",
                    remedy="lower learning_rate, or set precision: float32 where it is mixed_float16",
                )


def _arrays(of: str, variables: list[keras.Variable]) -> dict[str, Any]:
    """Copies: what TensorFlow gives may be a view of memory that the next step writes to."""
    return {f"{of}/{number:05}": np.array(variable) for number, variable in enumerate(variables)}


def _assign(variables: list[keras.Variable], of: str, found: Arrays) -> None:
    for number, variable in enumerate(variables):
        variable.assign(found[f"{of}/{number:05}"])


def _kind(array: Any) -> tuple[Any, ...]:
    return array.shape, array.dtype


def _patience(stopping: keras.callbacks.EarlyStopping) -> Patience:
    best = None if stopping.best is None else float(stopping.best)
    return Patience(best=best, best_epoch=stopping.best_epoch, wait=stopping.wait, stopped_epoch=stopping.stopped_epoch)


def _best(stopping: keras.callbacks.EarlyStopping | None) -> dict[str, Any]:
    weights = (stopping.best_weights if stopping is not None else None) or []
    return {f"best/{number:05}": weight for number, weight in enumerate(weights)}
