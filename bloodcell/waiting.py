"""The next batch is taken ahead, and it is measured how long a training waits for it; numbers are those of `fit`."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_IN_FLIGHT = 2
"""Steps that the device may have at a time: one that it computes, and one that waits there for its turn."""

Outputs = Mapping[str, tf.Tensor]


def _prefetching(thread: Executor) -> Callable[[Iterator[Any]], Any]:
    """A `next` of which the result is there when it is asked for, as it was called in the thread meanwhile.

    `tf.data` has the batch ready, but what hands it over is Python, and takes a millisecond once the computing of a
    step has driven it out of the processor's caches: 3% of a small network's step.

    One iterator after another may be given; what was taken ahead of one is dropped when another is.
    """
    of: Iterator[Any] | None = None
    upcoming: Future[Any] | None = None

    def take(iterator: Iterator[Any]) -> Any:
        nonlocal of, upcoming
        if upcoming is None or iterator is not of:
            of, upcoming = iterator, thread.submit(next, iterator)
        batch = upcoming.result()
        upcoming = thread.submit(next, iterator)
        return batch

    return take


class Waiting:
    """The time in which the next batch was asked for and not there.

    Attributes:
        seconds: Wall-clock so far, in seconds; validation included.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, step: Callable[[Any], Outputs], spec: Any, thread: Executor) -> Callable[[Any], Outputs]:
        """What Keras calls for each step of an epoch: takes the next batch of an iterator, and computes.

        Args:
            step: `train_step` or `test_step` of a model.
            spec: Structure of a batch; with it the last, smaller batch of an epoch needs no graph of its own.
            thread: The single one in which the next batch is taken meanwhile.
        """
        compute = tf.function(step, [spec], autograph=False)
        running: deque[Outputs] = deque()
        take = _prefetching(thread)

        def next_step(iterator: Iterator[Any]) -> Outputs:
            if len(running) == _IN_FLIGHT:
                # A GPU computes while the host goes on: unless held back, the host would outrun the device, ask for
                # batches long before they are of use, and count that as waiting.
                next(iter(running.popleft().values())).numpy()
            asked = time.perf_counter()
            batch = take(iterator)
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
    waiting = Waiting()
    with ThreadPoolExecutor(1, "next-batch") as thread:
        model.train_function = waiting.timed(model.train_step, train.element_spec, thread)
        model.test_function = waiting.timed(model.test_step, validation.element_spec, thread)
        try:
            yield waiting
        finally:
            model.train_function = model.test_function = None
