"""A training that was interrupted ends with the numbers of one that was not."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism  # which has no public name

from bloodcell.checkpoints import Checkpoint, Checkpoints, Moment
from bloodcell.config import Augmentation, EarlyStopping, ExperimentConfig
from bloodcell.data.pipeline import Examples
from bloodcell.errors import CorruptObjectError
from bloodcell.model import seeded_model
from bloodcell.training import fit
from bloodcell.training_loop import Training

STEPS = 3
"""Of training, an epoch; validation has two."""


class KilledError(Exception):
    """Raised in the place of SIGKILL."""


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    tf.config.experimental.enable_op_determinism()
    yield
    disable_op_determinism()


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    """One in which as much as possible is drawn at random and remembered."""
    return ExperimentConfig(
        backbone="MobileNet",
        width=0.25,
        weights="none",
        image_size=32,
        batch_size=16,
        hidden_layers=1,
        dropout=0.5,
        epochs=4,
        learning_rate=1e-2,
        augmentation=Augmentation(horizontal_flip=True, vertical_flip=True, rotation=20, shift=0.1),
        early_stopping=EarlyStopping(monitor="val_loss", patience=2),
    )


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 110).astype(np.int32)
    images = (labels[:, None, None, None] * 60 + rng.integers(0, 180, (110, 32, 32, 3))).astype(np.uint8)
    return Examples(images, labels, pd.Series(["train"] * 40 + ["validation"] * 70))


def build(config: ExperimentConfig) -> keras.Model:
    return seeded_model(config, classes=2, weights=None)


def figures(training: Training) -> list[dict[str, float]]:
    return [record.model_dump(exclude={"seconds", "waiting"}) for record in training.history]


Undisturbed = tuple[keras.Model, Training, list[Checkpoint]]


def moments(config: ExperimentConfig, examples: Examples) -> Undisturbed:
    """Train without interruption, and copy the training at every moment."""
    copies: list[Checkpoint] = []
    model = build(config)

    def on_epoch(_: object, moment: Moment) -> None:
        copies.append(moment.copy())

    training = fit(model, config, examples, on_epoch, on_step=lambda moment: copies.append(moment.copy()))
    return model, training, copies


@pytest.fixture(scope="module")
def undisturbed(config, examples) -> Undisturbed:
    return moments(config, examples)


def assert_same(model: keras.Model, other: keras.Model) -> None:
    for ours, theirs in zip(
        [*model.variables, *model.optimizer.variables], [*other.variables, *other.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def goes_on(number: int, undisturbed: Undisturbed, config: ExperimentConfig, examples: Examples, store) -> None:
    """Go on from one of the moments, by way of the store, and compare."""
    model, training, copies = undisturbed
    checkpoints = Checkpoints(store, "key")
    checkpoints.write(copies[number])
    resumed = build(config.model_copy(update={"seed": 5}))  # nothing may hang on the initial weights
    went_on = checkpoints.restore(
        lambda found: fit(resumed, config, examples, lambda *_: None, resume=found), pytest.fail
    )
    assert figures(went_on) == figures(training)
    assert went_on.kept_epoch == training.kept_epoch
    assert_same(resumed, model)


@pytest.mark.parametrize("place", [(0, 1), (0, STEPS), (1, 0), (1, 2), None])
def test_from_every_moment_it_ends_with_the_same_history_and_weights_to_the_bit(
    config, examples, store, undisturbed, place
):
    places = [(copy.progress.epoch, copy.progress.step) for copy in undisturbed[2]]
    number = places.index(place) if place else len(places) - 1  # at the end, where only the best weights are restored
    goes_on(number, undisturbed, config, examples, store)


@pytest.mark.parametrize("changes", [{"early_stopping": None, "optimizer": "rmsprop", "epochs": 2},
                         {"precision": "mixed_float16", "trainable": 3, "epochs": 2}])  # fmt: skip
def test_so_it_does_with_other_optimizers_and_precisions(config, examples, store, changes):
    other = config.model_copy(update=changes)
    goes_on(2, moments(other, examples), other, examples, store)


def test_several_interruptions_leave_no_trace_either(config, examples, undisturbed):
    model, training, _ = undisturbed
    saved: Checkpoint | None = None
    for steps in itertools.cycle([5, 8]):
        left = itertools.count(steps, -1)

        def interrupt(moment: Moment, left: itertools.count = left) -> None:
            nonlocal saved
            if next(left) == 0:
                saved = moment.copy()
                raise KilledError

        resumed = build(config)
        try:
            went_on = fit(resumed, config, examples, lambda *_: None, on_step=interrupt, resume=saved)
        except KilledError:
            continue
        break
    assert figures(went_on) == figures(training)
    assert_same(resumed, model)


def test_the_numbers_are_those_of_keras_itself_to_the_bit(config, examples):
    config = config.model_copy(update={"early_stopping": EarlyStopping(monitor="val_accuracy", patience=1)})
    model, training, _ = moments(config, examples)
    plain, batch = build(config), 4 * config.batch_size
    stopping = keras.callbacks.EarlyStopping("val_accuracy", patience=1, restore_best_weights=True)
    history = plain.fit(
        examples.training_batches(batch_size=config.batch_size, epochs=config.epochs, seed=config.seed),
        epochs=config.epochs,
        steps_per_epoch=STEPS,
        validation_data=examples.evaluation_batches("validation", batch_size=batch),
        callbacks=[stopping],
        shuffle=False,
        verbose=0,
    ).history
    assert {name: [getattr(record, name) for record in training.history] for name in history} == history
    assert_same(model, plain)


def test_the_learning_time_goes_on_where_it_stood(config, examples, undisturbed):
    _, training, copies = undisturbed
    late = next(copy for copy in copies if (copy.progress.epoch, copy.progress.step) == (1, 2))
    before = training.history[0].seconds
    assert before < late.progress.seconds < training.seconds
    assert 0 < late.progress.epoch_seconds < training.history[1].seconds
    resumed = fit(build(config), config, examples, lambda *_: None, resume=late)
    assert resumed.seconds > late.progress.seconds
    assert resumed.history[0].seconds == before


@pytest.mark.parametrize("changes", [{"width": 0.5}, {"optimizer": "sgd"}, {"early_stopping": None},
                         {"batch_size": 40}])  # fmt: skip
def test_a_checkpoint_of_another_training_is_refused_and_changes_nothing(config, examples, undisturbed, changes):
    *_, copies = undisturbed
    other = config.model_copy(update=changes)
    model, untouched = build(other), build(other)
    last_step = next(copy for copy in copies if copy.progress.step == STEPS)
    with pytest.raises(CorruptObjectError):
        fit(model, other, examples, lambda *_: None, resume=last_step)
    for ours, theirs in zip(model.variables, untouched.variables, strict=True):
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
