"""How fast a model of some shape trains here: trains on random images, and tells, until it is stopped."""

import re
import resource
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bloodcell.errors import ConfigError
from bloodcell.events import Window, emit
from bloodcell.model import build_model
from bloodcell.settings import Settings
from bloodcell.shapes import ModelShape
from bloodcell.training import create_variables, set_up

_CLASSES = 4
_WINDOW_SECONDS = 0.5
_STEPS = 1_000_000
"""As good as for ever; whoever measures stops it. Its output closed ends it too, so that it outlives nobody."""


def train_until_stopped(shape: ModelShape, settings: Settings) -> None:
    """Train on one random batch over and over, on the CPU, and emit a `Window` for each half second or step.

    Nothing is told of the first step, which traces the graph.

    Args:
        shape: What is trained.
        settings: Where the number of threads is.

    Raises:
        ConfigError: There is a GPU, so that CPU cores do not decide.
    """
    device = set_up(0, settings.threads_per_experiment, settings.gpu_memory)
    if device != "CPU":
        raise ConfigError(
            f"experiments train on {device} here, whose throughput does not depend on how CPU cores are shared",
            remedy="set BLOODCELL_SLOTS to the number of experiments that are to run at once",
        )
    config = shape.config
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (config.batch_size, config.side, config.side, 3), dtype=np.uint8)
    labels = rng.integers(0, _CLASSES, config.batch_size, dtype=np.int32)
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    windows = _Windows(config.batch_size)
    model = build_model(config, _CLASSES)
    create_variables(model)
    model.fit(batches, steps_per_epoch=_STEPS, callbacks=[windows], shuffle=False, verbose=0)


def peak_memory() -> int:
    """The most memory that this process has held, in bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:  # macOS, where the unit is bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not getrusage, whose figure is the parent's where that held more when it started this process.
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


class _Windows(keras.callbacks.Callback):
    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._began: float | None = None
        self._step = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        now = time.monotonic()
        if self._began is not None:
            if now - self._began < _WINDOW_SECONDS:
                return
            images = (batch - self._step) * self._batch_size
            emit(Window(began=self._began, ended=now, images=images, memory=peak_memory()))
        self._began, self._step = now, batch
