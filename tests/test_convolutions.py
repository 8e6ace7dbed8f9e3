"""The exchanged convolutions against the stock ones: the same numbers, forward and back."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from bloodcell import batch_norm, convolutions, faster
from bloodcell.config import ExperimentConfig
from bloodcell.convolutions import pad_within
from bloodcell.faster import learning_step
from bloodcell.model import build_model
from tests.test_batch_norm import PRECISIONS, assert_close

PAD = ((0, 1), (0, 1))


def pair(build: Callable[[], list[keras.Layer]], shape: tuple[int | None, ...] = (8, 8, 6)) -> list[keras.Model]:
    """Two models of the same layers and variables, in the second of which convolutions pad by themselves."""
    models = []
    for _ in range(2):
        models.append(keras.Sequential([keras.Input(shape), *build()]))
        for variable in models[-1].variables:
            variable.assign(np.random.default_rng(1).normal(size=variable.shape))
    pad_within(models[1])
    return models


def derivatives(model: keras.Model) -> list[tf.Tensor]:
    """The outputs, and the gradients of the images and of all that trains."""
    images = tf.constant(np.random.default_rng(2).normal(size=(4, *model.input_shape[1:])), "float32")
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = tf.cast(model(images, training=True), "float32")
        loss = tf.reduce_sum(tf.sin(outputs))
    of = [images, *(variable.value for variable in model.trainable_variables)]
    return [outputs, *tape.gradient(loss, of)]


def stock_learning(model: keras.Model) -> list[tf.Tensor]:
    """The derivatives in a graph."""
    return tf.function(lambda: derivatives(model))()


def learning(model: keras.Model) -> list[tf.Tensor]:
    """The derivatives as a step that learns computes them."""
    classes = convolutions.pointwise(model) | batch_norm.with_relu(model)
    model.train_step = lambda _: derivatives(model)
    return tf.function(lambda: learning_step(model, classes)(None))()


def padding(model: keras.Model) -> Counter[str]:
    return Counter(type(layer).__name__ for layer in model.layers if isinstance(layer, faster.Faster))


def pointwise(model: keras.Model) -> int:
    """How many layers learn by products."""
    return len(convolutions.pointwise(model))


@pytest.mark.parametrize(("policy", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("options", [{"use_bias": False}, {"activation": "relu"}, {"padding": "same"}])
def test_a_pointwise_convolution_learns_as_that_of_keras(policy, tolerance, options):
    plain, ours = pair(lambda: [keras.layers.Conv2D(5, 1, dtype=policy, **options)])
    assert pointwise(ours) == 1
    assert_close(learning(ours), stock_learning(plain), tolerance)


def test_a_frozen_one_and_one_that_is_called_twice():
    shared = partial(keras.layers.Conv2D, 6, 1)

    def build() -> list[keras.Layer]:
        twice, frozen = shared(), shared()
        frozen.trainable = False
        return [twice, frozen, twice]

    plain, ours = pair(build)
    assert pointwise(ours) == 2
    found = learning(ours)
    assert len(found) == 2 + 2  # the frozen one's kernel and bias have no gradient
    assert_close(found, stock_learning(plain), 1e-4)


def test_a_step_that_fails_leaves_the_layers_keras_own():
    model = keras.Sequential([keras.Input((8, 8, 6)), keras.layers.Conv2D(5, 1)])

    def fail(_: object) -> None:
        assert type(model.layers[0]) is convolutions.Conv2D
        raise MemoryError("the device is full")

    model.train_step = fail
    with pytest.raises(MemoryError):
        learning_step(model, convolutions.pointwise(model))(None)
    assert type(model.layers[0]) is keras.layers.Conv2D


@pytest.mark.parametrize("options", [{"strides": 2}, {"kernel_size": 3}, {"groups": 2}])
def test_another_convolution_learns_as_keras_has_it(options):
    _, ours = pair(lambda: [keras.layers.Conv2D(**{"filters": 4, "kernel_size": 1} | options)])
    assert pointwise(ours) == 0


@pytest.mark.parametrize(("policy", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("shape", [(8, 8, 6), (2, 10, 6)])
def test_a_convolution_that_pads_by_itself_is_the_two_layers(policy, tolerance, shape):
    plain, ours = pair(
        lambda: [
            keras.layers.ZeroPadding2D(PAD, dtype=policy),
            keras.layers.DepthwiseConv2D(3, 2, use_bias=False, dtype=policy),
        ],
        shape,
    )
    assert padding(ours) == {"ZeroPadding2D": 1, "DepthwiseConv2D": 1}
    assert_close(derivatives(ours), derivatives(plain), tolerance)


@pytest.mark.parametrize(
    ("shape", "zeros", "options"),
    [
        ((7, 8, 6), PAD, {}),
        ((8, 7, 6), PAD, {}),
        ((None, None, 6), PAD, {}),
        ((8, 8, 6), ((1, 0), (1, 0)), {}),
        ((8, 8, 6), ((1, 1), (1, 1)), {}),
        ((8, 8, 6), ((0, 1), (0, 0)), {}),
        ((8, 8, 6), PAD, {"strides": 1}),
        ((8, 8, 6), PAD, {"kernel_size": 5}),
        ((8, 8, 6), PAD, {"dilation_rate": 2}),
        ((8, 8, 6), PAD, {"padding": "same"}),
        ((8, 8, 6), PAD, {"use_bias": True}),
        ((8, 8, 6), PAD, {"activation": "relu"}),
    ],
)
def test_where_the_own_padding_is_another_both_stay_stock(shape, zeros, options):
    usual = {"kernel_size": 3, "strides": 2, "use_bias": False}
    _, ours = pair(lambda: [keras.layers.ZeroPadding2D(zeros), keras.layers.DepthwiseConv2D(**usual | options)], shape)
    assert padding(ours) == {}


@pytest.mark.parametrize(
    "read",
    [
        lambda padded, _: keras.layers.Flatten()(padded),
        lambda padded, other: keras.layers.Concatenate()([padded, other]),
        lambda padded, _: padded,
    ],
    ids=["a layer", "a layer of several inputs", "the output"],
)
def test_padded_images_that_are_read_besides_stay_padded(read):
    image = keras.Input((8, 8, 6))
    padded, other = (keras.layers.ZeroPadding2D(PAD)(image) for _ in range(2))
    convolved = keras.layers.DepthwiseConv2D(3, 2, use_bias=False)(padded)
    model = keras.Model(image, [convolved, read(padded, other)])
    pad_within(model)
    assert padding(model) == {}


@pytest.mark.parametrize(
    ("backbone", "side", "products", "padded"),
    [("MobileNet", 64, 13, 4), ("InceptionV3", 80, 40, 0), ("ResNet50", 64, 30, 0), ("Xception", 80, 0, 0)],
)
def test_what_a_backbone_has_of_them(backbone, side, products, padded):
    model = build_model(ExperimentConfig(backbone=backbone, weights="none", image_size=side), classes=4)
    (network,) = (layer for layer in model.layers if isinstance(layer, keras.Model))
    assert pointwise(model) == products
    found = padding(network)
    assert (found["ZeroPadding2D"], found["DepthwiseConv2D"]) == (padded, padded)


def test_a_step_of_a_built_model_is_traced_with_products_and_its_score_without():
    model = build_model(ExperimentConfig(backbone="MobileNet", weights="none", width=0.25, image_size=32), classes=4)
    seen: list[set[type]] = []
    called = model.call

    def call(*args: object, **kwargs: object) -> tf.Tensor:
        seen.append({type(layer) for layer in faster.layers(model)})
        return called(*args, **kwargs)

    model.call = call
    images, labels = np.zeros((4, 32, 32, 3), "uint8"), np.arange(4)
    model.fit(images, labels, verbose=0)
    model.predict(images, verbose=0)
    *learnt, scored = (convolutions.Conv2D in types for types in seen)
    assert learnt
    assert all(learnt)
    assert not scored


@pytest.mark.parametrize("backbone", ["MobileNet", "InceptionV3", "ResNet50"])
def test_a_network_learns_by_the_gradients_of_the_stock_one(backbone):
    """With all that is exchanged at once, in training, from activations of the size of one."""
    keras.utils.set_random_seed(4)
    build = getattr(keras.applications, backbone)
    models = [build(include_top=False, weights=None, input_shape=(80, 80, 3)) for _ in range(2)]
    rng = np.random.default_rng(4)
    for variable in models[0].variables:
        if "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "beta" in variable.path:
            variable.assign(rng.uniform(0.0, 2.0, variable.shape))
    models[1].set_weights(models[0].get_weights())
    batch_norm.fuse(models[1])
    pad_within(models[1])
    wanted, found = stock_learning(models[0]), learning(models[1])
    assert 0.5 < np.abs(found[0]).mean() < 5
    # Rounding takes some values to the other side of a ReLU's edge, and is all that the gradient of a bias before batch
    # normalisation has, which is zero.
    nothing = 1e-6 * max(map(np.linalg.norm, wanted[1:]))
    for one, other in zip(found, wanted, strict=True):
        assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(other) + nothing
    assert_close(models[1].non_trainable_variables, models[0].non_trainable_variables, 1e-3)
