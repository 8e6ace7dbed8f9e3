import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from bloodcell.config import EarlyStopping
from bloodcell.data.pipeline import Examples
from bloodcell.errors import DeviceMemoryError, DivergedError
from bloodcell.model import build_model
from bloodcell.training import fit, predict, set_up


@pytest.fixture
def examples() -> Examples:
    """Two classes that differ in brightness."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 48).astype(np.int32)
    images = (labels[:, None, None, None] * 120 + rng.integers(0, 100, (48, 32, 32, 3))).astype(np.uint8)
    return Examples(images, labels, pd.Series(["train"] * 32 + ["validation"] * 16))


def ignore(*_: object) -> None:
    """A listener that does nothing."""


def build(config) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(config, classes=2)


def test_history_has_a_record_an_epoch_and_each_is_announced(small, examples):
    announced = []
    training = fit(build(small), small, examples, lambda record, _: announced.append(record))
    assert [record.epoch for record in training.history] == [1, 2]
    assert announced == list(training.history)
    epochs = sum(record.seconds for record in training.history)
    assert epochs <= training.seconds < epochs + 1
    assert training.kept_epoch == 2


def test_training_learns(small, examples):
    config = small.model_copy(update={"epochs": 20, "optimizer": "sgd", "learning_rate": 5e-2, "hidden_layers": 0})
    history = fit(build(config), config, examples, ignore).history
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].accuracy > 0.9


def test_the_figures_of_an_epoch_are_those_of_all_its_images(small, examples):
    # With a learning rate of nothing the loss of an epoch is that of the initial model on every training image.
    config = small.model_copy(update={"learning_rate": 1e-30, "optimizer": "sgd", "batch_size": 5, "trainable": "head"})
    model = build(config)
    history = fit(model, config, examples, ignore).history
    train = examples.rows("train")
    loss, accuracy = model.evaluate(examples.images[train], examples.labels[train], verbose=0)
    for record in history:
        assert record.loss == pytest.approx(loss, rel=1e-4)
        assert record.accuracy == pytest.approx(accuracy)


def test_the_best_epoch_is_restored_and_named(small, examples):
    stopping = EarlyStopping(monitor="val_loss", patience=2)
    config = small.model_copy(update={"epochs": 6, "early_stopping": stopping, "learning_rate": 1e-2})
    model = build(config)
    training = fit(model, config, examples, ignore)
    losses = [record.val_loss for record in training.history]
    assert training.kept_epoch == 1 + int(np.argmin(losses))
    rows = examples.rows("validation")
    loss, _ = model.evaluate(examples.images[rows], examples.labels[rows], verbose=0)
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_early_stopping_ends_before_the_last_epoch(small, examples):
    stopping = EarlyStopping(monitor="val_accuracy", patience=1, min_delta=1.0, restore_best=False)
    config = small.model_copy(update={"epochs": 6, "early_stopping": stopping})
    training = fit(build(config), config, examples, ignore)
    assert len(training.history) == training.kept_epoch == 2


def test_a_loss_that_is_no_number_fails_with_the_epoch(small, examples):
    model = build(small)
    model.get_layer("probabilities").bias.assign([np.nan, 0.0])
    with pytest.raises(DivergedError, match=r"loss became nan in epoch 1 of 2 at learning rate 0.001") as refused:
        fit(model, small, examples, ignore)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_too_little_memory_is_told_in_words(small, examples, error, monkeypatch):
    def exhausted(*args, **kwargs):
        raise error

    model = build(small)
    monkeypatch.setattr(model, "evaluate", exhausted)
    monkeypatch.setattr(model, "predict", exhausted)
    for run in (lambda: fit(model, small, examples, ignore), lambda: predict(model, small, examples)):
        with pytest.raises(DeviceMemoryError, match="batch_size 16 and image_size 32 px") as refused:
            run()
        assert refused.value.exit_code == 78


@pytest.fixture
def two_gpus(monkeypatch):
    """What TensorFlow is asked to do with the memory of two GPUs, which are not there."""
    asked = []
    gpus = [SimpleNamespace(name="/physical_device:GPU:0"), SimpleNamespace(name="/physical_device:GPU:1")]
    config = tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: gpus if kind == "GPU" else [])
    monkeypatch.setattr(config.experimental, "get_device_details", lambda gpu: {"device_name": "T4"})
    monkeypatch.setattr(config.experimental, "set_memory_growth", lambda *of: asked.append(("growth", *of)))
    monkeypatch.setattr(config, "set_logical_device_configuration", lambda *of: asked.append(("limit", *of)))
    for threads in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(config.threading, threads, lambda number: None)
    return SimpleNamespace(gpus=gpus, asked=asked)


def test_the_memory_of_a_gpu_is_taken_when_it_is_needed(two_gpus):
    assert set_up(0, threads=1) == "T4"
    assert two_gpus.asked == [("growth", gpu, True) for gpu in two_gpus.gpus]


def test_no_more_memory_of_a_gpu_is_taken_than_was_allowed(two_gpus):
    assert set_up(0, threads=1, gpu_memory=7000) == "T4"
    limited = [tf.config.LogicalDeviceConfiguration(memory_limit=7000)]
    assert two_gpus.asked == [("limit", gpu, limited) for gpu in two_gpus.gpus]


def test_tensorflow_has_not_started_when_the_limit_is_set():
    """On a real device: a CPU called GPU, split in two in place of the limit, which TensorFlow accepts for none."""
    program = """
import tensorflow as tf
from bloodcell.training import set_up

(cpu,), real = tf.config.list_physical_devices("CPU"), tf.config.set_logical_device_configuration
tf.config.list_physical_devices = lambda kind: [cpu]
halves = 2 * [tf.config.LogicalDeviceConfiguration()]
tf.config.set_logical_device_configuration = lambda gpu, limited: real(gpu, halves)
set_up(0, threads=1, gpu_memory=7000)
print(len(tf.config.list_logical_devices("CPU")), float(tf.reduce_sum(tf.ones(3))))
try:
    real(cpu, [tf.config.LogicalDeviceConfiguration()])
except RuntimeError:
    print("too late")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["2 3.0", "too late"]


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_the_train_step_is_traced_once(small, examples, precision, monkeypatch):
    traced = []
    step = keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda self, data: traced.append(data) or step(self, data))
    config = small.model_copy(update={"optimizer": "adam", "precision": precision})
    fit(build(config), config, examples, ignore)
    assert len(traced) == 1
