"""How long a training waits for data. Measured beside the numbers, which are those of plain `fit`."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_AHEAD = 2
"""Steps that may be on their way: one that the device computes, and one that waits there for its turn."""

Outputs = Mapping[str, tf.Tensor]


class Waiting:
    """The time in which the next batch was asked for and not there.

    Attributes:
        seconds: Wall-clock so far, in seconds; validation included.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, step: Callable[[Any], Outputs], spec: Any, *, jit_compile: bool) -> Callable[[Any], Outputs]:
        """What Keras calls for each step of an epoch: takes the next batch of an iterator, and computes.

        Args:
            step: `train_step` or `test_step` of a model.
            spec: Structure of a batch; with it the last, smaller batch of an epoch needs no graph of its own.
            jit_compile: Whether XLA compiles the step.
        """
        compute = tf.function(step, [spec], autograph=False, jit_compile=jit_compile)
        running: deque[Outputs] = deque()

        def next_step(iterator: Iterator[Any]) -> Outputs:
            if len(running) == _AHEAD:
                # A GPU computes while the host goes on: unless held back, the host would outrun the device, ask for
                # batches long before they are of use, and count that as waiting.
                next(iter(running.popleft().values())).numpy()
            asked = time.perf_counter()
            batch = next(iterator)
            self.seconds += time.perf_counter() - asked
            outputs: Outputs = compute(batch)
            running.append(outputs)
            return outputs

        return next_step


@contextmanager
def measured(model: keras.Model, train: tf.data.Dataset, validation: tf.data.Dataset) -> Iterator[Waiting]:
    """Measure how long `model.fit` waits for its batches in this block; the model is an ordinary one afterwards.

    `fit` keeps a `train_function` and a `test_function` that are set; otherwise it makes ones in which getting a batch
    and computing with it are one graph, of which the parts cannot be told apart.

    Args:
        model: The compiled model.
        train: Batches to train on.
        validation: Batches to validate on.
    """
    waiting, jit_compile = Waiting(), model.jit_compile
    model.train_function = waiting.timed(model.train_step, train.element_spec, jit_compile=jit_compile)
    model.test_function = waiting.timed(model.test_step, validation.element_spec, jit_compile=jit_compile)
    try:
        yield waiting
    finally:
        model.train_function = model.test_function = None
