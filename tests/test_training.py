import keras
import numpy as np
import pytest

from bloodcell.config import EarlyStopping
from bloodcell.data.pipeline import evaluation_batches, training_batches
from bloodcell.errors import DivergedError
from bloodcell.model import build_model
from bloodcell.training import fit


def data(config):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 32).astype(np.int32)
    images = (labels[:, None, None, None] * 120 + rng.integers(0, 100, (32, 32, 32, 3))).astype(np.uint8)
    rows = np.arange(32)
    train = training_batches(images, labels, rows, batch_size=config.batch_size, epochs=config.epochs, seed=0)
    return train, evaluation_batches(images, labels, rows, batch_size=32)


def run(config, *, broken=False, on_epoch=lambda record: None):
    keras.utils.set_random_seed(0)
    train, validation = data(config)
    model = build_model(config, classes=2)
    if broken:
        model.get_layer("probabilities").bias.assign([np.nan, 0.0])
    return fit(model, config, train, validation, steps=-(-32 // config.batch_size), on_epoch=on_epoch)


def test_history_has_a_record_an_epoch_and_each_is_announced(small):
    announced = []
    training = run(small, on_epoch=announced.append)
    assert [record.epoch for record in training.history] == [1, 2]
    assert announced == list(training.history)
    assert training.seconds >= sum(record.seconds for record in training.history)


def test_training_learns(small):
    history = run(small.model_copy(update={"epochs": 10, "batch_size": 4, "dense_units": 32})).history
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].accuracy > 0.9


def test_early_stopping_ends_before_the_last_epoch(small):
    stopping = EarlyStopping(monitor="val_accuracy", patience=1, min_delta=1.0)
    training = run(small.model_copy(update={"epochs": 6, "early_stopping": stopping}))
    assert len(training.history) == 2


def test_a_loss_that_is_no_number_fails_with_the_epoch(small):
    with pytest.raises(DivergedError, match=r"loss became nan in epoch 1 of 2 at learning rate 0.001") as refused:
        run(small, broken=True)
    assert refused.value.exit_code == 78
