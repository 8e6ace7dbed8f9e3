import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism  # which has no public name

from bloodcell.waiting import Waiting, measured

SPEC = (tf.TensorSpec((None, 4)), tf.TensorSpec((None,)))


def build() -> keras.Model:
    """The same model each time, its random layers included."""
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.RandomFlip(),
        keras.layers.Conv2D(4, 3),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(2, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return model


@pytest.fixture
def model() -> keras.Model:
    return build()


def batches(images: int, size: int = 8, slow: float = 0.0) -> tf.data.Dataset:
    """Batches of which the last is smaller, each `slow` seconds in the making."""
    rng = np.random.default_rng(images)
    pixels, labels = rng.integers(0, 256, (images, 8, 8, 3), np.uint8), rng.integers(0, 2, images, np.int32)
    data = tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(size)

    def sleep() -> np.int64:
        time.sleep(slow)
        return np.int64(0)

    def late(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.control_dependencies([tf.numpy_function(sleep, [], tf.int64)]):
            return tuple(map(tf.identity, batch))

    return data.map(late) if slow else data


def fit(model: keras.Model, train: tf.data.Dataset, validation: tf.data.Dataset) -> dict[str, list[float]]:
    return model.fit(
        train.repeat(), epochs=3, steps_per_epoch=4, validation_data=validation, shuffle=False, verbose=0
    ).history


@pytest.fixture
def deterministic():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


def test_the_numbers_are_those_of_plain_fit_to_the_bit_and_the_model_is_an_ordinary_one(model, deterministic, tmp_path):
    train, validation = batches(29), batches(13)
    with measured(model, train, validation) as waiting:
        history = fit(model, train, validation)
    assert waiting.seconds > 0
    plain = build()
    assert history == fit(plain, train, validation)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert model.train_function is None
    assert model.test_function is None
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").evaluate(validation, verbose=0) == [
        pytest.approx(history[name][-1]) for name in ("val_loss", "val_accuracy")
    ]


def test_the_time_in_which_batches_are_late_counts_and_no_other(monkeypatch):
    clock = 0.0

    def later(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    def late():
        for _ in range(3):
            later(1.0)
            yield 0

    monkeypatch.setattr(tf, "function", lambda step, *args, **options: step)
    monkeypatch.setattr(time, "perf_counter", lambda: clock)
    waiting = Waiting()
    step = waiting.timed(lambda batch: later(10.0) or {"loss": tf.constant(0.0)}, None, jit_compile=False)
    data = late()
    for _ in range(3):
        step(data)
    assert (waiting.seconds, clock) == (3.0, 33.0)


def test_validation_counts(model):
    train, validation = batches(29), batches(13, slow=0.1)
    with measured(model, train, validation) as waiting:
        fit(model, train, validation)
    assert waiting.seconds > 0.25  # the first batch of each of three epochs


def test_the_end_of_the_data_ends_an_epoch(model):
    step = Waiting().timed(lambda batch: {"loss": tf.reduce_sum(batch[0])}, SPEC, jit_compile=False)
    batch = (tf.ones((2, 4)), tf.ones(2))
    assert float(step(iter([batch]))["loss"]) == 8
    with pytest.raises(StopIteration):
        step(iter([]))


def test_the_host_is_one_step_ahead_of_the_device_at_most(monkeypatch):
    finished: list[int] = []

    class OnDevice:
        """A figure that a GPU has not computed yet."""

        def __init__(self, number: int) -> None:
            self.number = number

        def numpy(self) -> None:
            finished.append(self.number)

    monkeypatch.setattr(tf, "function", lambda step, *args, **options: step)
    step = Waiting().timed(lambda number: {"loss": OnDevice(number)}, None, jit_compile=False)
    seen = []

    def numbers():
        for number in range(5):
            seen.append(list(finished))  # when the batch is asked for
            yield number

    data = numbers()
    for _ in range(5):
        step(data)
    assert seen == [[], [], [0], [0, 1], [0, 1, 2]]
