import threading
import time
from concurrent.futures import ThreadPoolExecutor

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
def thread():
    with ThreadPoolExecutor(1) as executor:
        yield executor


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


@pytest.mark.parametrize(
    ("late", "computing", "at_least", "below"),
    [(0.3, 0.0, 0.6, 1.5), (0.5, 1.0, 0.3, 1.0)],
    ids=["late batches are waited for", "a batch that is made while the device computes is not"],
)
def test_the_time_in_which_batches_are_late_counts_and_no_other(monkeypatch, thread, late, computing, at_least, below):
    def batches():
        for number in range(4):
            time.sleep(late if number < 3 else 0.0)
            yield number

    def compute(batch: int) -> dict[str, tf.Tensor]:
        time.sleep(computing)
        return {"loss": tf.constant(batch)}

    monkeypatch.setattr(tf, "function", lambda step, *args, **options: step)
    waiting, data = Waiting(), batches()
    tf.constant(0)  # the first takes its time
    step = waiting.timed(compute, None, thread)
    assert [int(step(data)["loss"]) for _ in range(3)] == [0, 1, 2]
    assert at_least <= waiting.seconds < below


def test_what_was_taken_ahead_is_not_lost_to_another_iterator(monkeypatch, thread):
    monkeypatch.setattr(tf, "function", lambda step, *args, **options: step)
    waiting = Waiting()
    train, test = (waiting.timed(lambda batch: {"loss": tf.constant(batch)}, None, thread) for _ in range(2))
    data, seen = iter(range(6)), []
    for _ in range(3):  # epochs, each with a validation of its own
        seen += [int(train(data)["loss"]) for _ in range(2)]
        assert [int(test(iter([7]))["loss"])] == [7]
    assert seen == [0, 1, 2, 3, 4, 5]


def test_no_thread_outlives_a_training(model):
    before = set(threading.enumerate())
    with measured(model, batches(29), batches(13)):
        fit(model, batches(29), batches(13))
        assert {thread.name for thread in set(threading.enumerate()) - before} == {"next-batch_0"}
    assert set(threading.enumerate()) <= before


def test_a_failure_in_the_making_of_a_batch_is_the_trainings(model):
    def broken():
        yield np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int32)
        raise ValueError("a page of the array cannot be read")

    spec = (tf.TensorSpec((None, 8, 8, 3), tf.uint8), tf.TensorSpec((None,), tf.int32))
    train = tf.data.Dataset.from_generator(broken, output_signature=spec)
    with measured(model, train, batches(13)), pytest.raises(tf.errors.InvalidArgumentError, match="cannot be read"):
        model.fit(train, epochs=1, steps_per_epoch=4, shuffle=False, verbose=0)


def test_validation_counts(model):
    train, validation = batches(29), batches(13, slow=0.1)
    with measured(model, train, validation) as waiting:
        fit(model, train, validation)
    assert waiting.seconds > 0.25  # the first batch of each of three epochs


def test_the_end_of_the_data_ends_an_epoch(thread):
    step = Waiting().timed(lambda batch: {"loss": tf.reduce_sum(batch[0])}, SPEC, thread)
    batch = (tf.ones((2, 4)), tf.ones(2))
    assert float(step(iter([batch]))["loss"]) == 8
    with pytest.raises(StopIteration):
        step(iter([]))


def test_the_host_is_one_step_ahead_of_the_device_at_most(monkeypatch, thread):
    finished: list[int] = []

    class OnDevice:
        """A figure that a GPU has not computed yet."""

        def __init__(self, number: int) -> None:
            self.number = number

        def numpy(self) -> None:
            finished.append(self.number)

    monkeypatch.setattr(tf, "function", lambda step, *args, **options: step)
    step = Waiting().timed(lambda number: {"loss": OnDevice(number)}, None, thread)
    seen, asked = [], threading.Semaphore(0)

    def numbers():
        for number in range(5):
            seen.append(list(finished))  # when the batch is asked for, in a thread, a step before it is computed with
            asked.release()
            yield number

    data = numbers()
    step(data)
    assert asked.acquire(timeout=10)
    for _ in range(4):
        assert asked.acquire(timeout=10)
        step(data)
    assert seen == [[], [], [], [0], [0, 1]]
