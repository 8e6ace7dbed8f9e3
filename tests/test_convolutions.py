"""The exchanged convolutions against the stock ones: the same numbers, forward and back."""

from collections import Counter
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from bloodcell import convolutions, faster
from bloodcell.config import ExperimentConfig
from bloodcell.convolutions import exchange
from bloodcell.model import build_model
from tests.test_batch_norm import PRECISIONS, assert_close

PAD = ((0, 1), (0, 1))


def pair(build: Callable[[], list[keras.Layer]], side: int = 8) -> tuple[keras.Model, keras.Model]:
    """Two models of the same layers and variables, the second of them exchanged."""
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        models.append(keras.Sequential([keras.Input((side, side, 6)), *build()]))
        for variable in models[-1].variables:
            variable.assign(np.random.default_rng(1).normal(size=variable.shape))
    exchange(models[1])
    return models[0], models[1]


def derivatives(model: keras.Model) -> list[np.ndarray]:
    """The outputs, and the gradients of the images and of all variables."""
    images = tf.constant(np.random.default_rng(2).normal(size=(4, *model.input_shape[1:])), "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = tf.cast(model(images, training=True), "float32")
        loss = tf.reduce_sum(tf.sin(outputs))
    of = [images, *(variable.value for variable in model.trainable_variables)]
    return [outputs.numpy(), *(gradient.numpy() for gradient in tape.gradient(loss, of))]


def kinds(model: keras.Model) -> Counter[str]:
    return Counter(type(layer).__name__ for layer in faster.layers(model) if isinstance(layer, faster.Faster))


@pytest.mark.parametrize(("policy", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("options", [{"use_bias": False}, {"activation": "relu"}, {"padding": "same"}])
def test_a_pointwise_convolution_is_that_of_keras(policy, tolerance, options):
    plain, exchanged = pair(lambda: [keras.layers.Conv2D(5, 1, dtype=policy, **options)])
    assert kinds(exchanged) == {"Conv2D": 1}
    assert_close(derivatives(exchanged), derivatives(plain), tolerance)


@pytest.mark.parametrize(("policy", "tolerance"), PRECISIONS)
def test_a_convolution_that_pads_by_itself_is_the_two_layers(policy, tolerance):
    plain, exchanged = pair(
        lambda: [
            keras.layers.ZeroPadding2D(PAD, dtype=policy),
            keras.layers.DepthwiseConv2D(3, 2, use_bias=False, dtype=policy),
        ]
    )
    assert kinds(exchanged) == {"ZeroPadding2D": 1, "DepthwiseConv2D": 1}
    assert_close(derivatives(exchanged), derivatives(plain), tolerance)


@pytest.mark.parametrize("options", [{"strides": 2}, {"kernel_size": 3}, {"groups": 2}])
def test_another_convolution_stays_stock(options):
    _, exchanged = pair(lambda: [keras.layers.Conv2D(**{"filters": 4, "kernel_size": 1} | options)])
    assert kinds(exchanged) == {}


@pytest.mark.parametrize(
    ("side", "padding", "options"),
    [
        (7, PAD, {}),
        (8, ((1, 0), (1, 0)), {}),
        (8, ((1, 1), (1, 1)), {}),
        (8, PAD, {"strides": 1}),
        (8, PAD, {"kernel_size": 5}),
        (8, PAD, {"padding": "same"}),
        (8, PAD, {"use_bias": True}),
        (8, PAD, {"activation": "relu"}),
    ],
)
def test_where_the_own_padding_is_another_both_stay_stock(side, padding, options):
    usual = {"kernel_size": 3, "strides": 2, "use_bias": False}
    _, exchanged = pair(
        lambda: [keras.layers.ZeroPadding2D(padding), keras.layers.DepthwiseConv2D(**usual | options)], side
    )
    assert kinds(exchanged) == {}


def test_padded_images_that_another_layer_reads_too_stay_padded():
    image = keras.Input((8, 8, 6))
    padded = keras.layers.ZeroPadding2D(PAD)(image)
    outputs = [keras.layers.DepthwiseConv2D(3, 2, use_bias=False)(padded), keras.layers.Flatten()(padded)]
    model = keras.Model(image, outputs)
    exchange(model)
    assert kinds(model) == {}
    assert [tuple(output.shape) for output in model(np.zeros((2, 8, 8, 6)))] == [(2, 4, 4, 6), (2, 9 * 9 * 6)]


@pytest.mark.parametrize(
    ("backbone", "wanted"),
    [
        ("MobileNet", {"Conv2D": 13, "ZeroPadding2D": 4, "DepthwiseConv2D": 4}),
        ("InceptionV3", {"Conv2D": 40}),
        ("ResNet50", {"Conv2D": 30}),
        ("VGG16", {}),
    ],
)
def test_what_a_backbone_has_of_them(backbone, wanted):
    config = ExperimentConfig(backbone=backbone, weights="none", image_size=80 if backbone == "InceptionV3" else 64)
    found = kinds(build_model(config, classes=4))
    found.pop("BatchNormalization", None)
    assert found == wanted


def test_a_network_has_the_gradients_of_the_stock_one():
    """In float32; with all that is exchanged at once, and in a graph, as a training has it."""
    keras.utils.set_random_seed(0)
    models = [keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3)) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    exchange(models[1])
    assert isinstance(models[1].get_layer("conv_pw_1"), convolutions.Conv2D)
    plain, exchanged = (tf.function(derivatives_of(model))() for model in models)
    assert_close([each.numpy() for each in exchanged], [each.numpy() for each in plain], 1e-3)


def derivatives_of(model: keras.Model) -> Callable[[], list[tf.Tensor]]:
    images = tf.constant(np.random.default_rng(3).uniform(-1, 1, (4, *model.input_shape[1:])), "float32")

    def compute() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = model(images, training=False)
            loss = tf.reduce_sum(tf.sin(outputs))
        return [outputs, *tape.gradient(loss, [variable.value for variable in model.trainable_variables])]

    return compute
