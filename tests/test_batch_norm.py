"""The fused layer against the stock one: the same numbers in training and inference, and the same file."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bloodcell import batch_norm, faster
from bloodcell.batch_norm import fuse
from bloodcell.config import ExperimentConfig
from bloodcell.model import build_model


def network(policy: str = "float32", **options) -> keras.Model:
    """Convolutions and batch normalisation whose variables are not those of a new layer."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(6, 3, use_bias=False, dtype=policy),
        keras.layers.BatchNormalization(dtype=policy, name="first", **options),
        keras.layers.ReLU(dtype=policy),
        keras.layers.Conv2D(5, 3, use_bias=False, dtype=policy),
        keras.layers.BatchNormalization(dtype=policy, momentum=0.9, epsilon=1e-5, name="second"),
        keras.layers.GlobalAveragePooling2D(dtype=policy),
    ]
    model = keras.Sequential(layers)
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if "kernel" not in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def pair(policy: str = "float32", **options) -> tuple[keras.Model, keras.Model]:
    plain, fused = network(policy, **options), network(policy, **options)
    fuse(fused)
    assert [type(layer) is batch_norm.BatchNormalization for layer in fused.layers].count(True) == 2
    return plain, fused


def images(count: int = 16) -> np.ndarray:
    return np.random.default_rng(2).normal(1.0, 2.0, (count, 8, 8, 3)).astype("float32")


def gradients(model: keras.Model, x: np.ndarray, *, training: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    with tf.GradientTape() as tape:
        outputs = tf.cast(model(x, training=training), "float32")
        loss = tf.reduce_sum(tf.sin(outputs))
    variables = [variable.value for variable in model.trainable_variables]
    return outputs.numpy(), [gradient.numpy() for gradient in tape.gradient(loss, variables)]


def assert_close(found, wanted, tolerance: float) -> None:
    assert len(found) == len(wanted) > 0
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


# bfloat16 holds 8 bits: the stock layer rounds once more, where it hands back what it computed in float32.
PRECISIONS = [("float32", 1e-4), ("mixed_bfloat16", 3e-2), ("mixed_float16", 4e-3)]


@pytest.mark.parametrize(("policy", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_moving_statistics_are_those_of_the_stock_layer(policy, tolerance, training):
    plain, fused = pair(policy)
    wanted, found = (gradients(model, images(), training=training) for model in (plain, fused))
    assert_close([found[0]], [wanted[0]], tolerance)
    assert_close(found[1], wanted[1], tolerance)
    assert_close(fused.non_trainable_variables, plain.non_trainable_variables, tolerance)
    before = network(policy).get_layer("first").moving_mean
    assert np.array_equal(fused.get_layer("first").moving_mean, before) != training


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_a_layer_without_scale_or_offset(options):
    plain, fused = pair(**options)
    for training in (True, False):
        wanted, found = (gradients(model, images(), training=training) for model in (plain, fused))
        assert_close([found[0], *found[1]], [wanted[0], *wanted[1]], 1e-4)


def test_a_frozen_layer_uses_its_moving_statistics_and_keeps_them():
    plain, fused = pair()
    for model in (plain, fused):
        model.get_layer("second").trainable = False
    before = [variable.numpy() for variable in fused.get_layer("second").variables]
    wanted, found = (gradients(model, images(), training=True) for model in (plain, fused))
    assert_close([found[0], *found[1]], [wanted[0], *wanted[1]], 1e-4)
    for variable, value in zip(fused.get_layer("second").variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_batch_of_one_image_of_one_pixel():
    for model in (plain := network(), fused := network()):
        model.pop()
    fuse(fused)
    layer, other = fused.get_layer("first"), plain.get_layer("first")
    pixel = np.ones((1, 1, 1, 6), "float32")
    assert_close([layer(pixel, training=True)], [other(pixel, training=True)], 1e-5)
    assert_close(layer.variables, other.variables, 1e-5)


def test_trainings_of_several_epochs_stay_together():
    labels = np.arange(32) % 5
    histories = []
    for model in pair():
        model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        histories.append(
            model.fit(images(32), labels, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
        )
    np.testing.assert_allclose(*histories, rtol=1e-4)


@pytest.mark.parametrize("options", [{"axis": 1}, {"synchronized": True}, {"renorm": True}])
def test_what_the_kernel_does_not_compute_stays_stock(options):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.BatchNormalization(**options)])
    fuse(model)
    assert type(model.layers[0]) is keras.layers.BatchNormalization


def test_a_layer_of_vectors_stays_stock():
    model = keras.Sequential([keras.Input((8,)), keras.layers.BatchNormalization()])
    fuse(model)
    assert type(model.layers[0]) is keras.layers.BatchNormalization


@pytest.mark.parametrize("backbone", ["MobileNet", "InceptionV3", "ResNet50", "Xception"])
def test_every_batch_normalisation_of_a_backbone_is_fused(backbone):
    model = build_model(ExperimentConfig(backbone=backbone, weights="none", image_size=80), classes=4)
    found = {type(layer) for layer in faster.layers(model) if isinstance(layer, keras.layers.BatchNormalization)}
    assert found == {batch_norm.BatchNormalization}
