"""Augmentation in one pass against Keras's layers, which move the pixels one after another."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from bloodcell import augmentation
from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.faster import Faster
from bloodcell.model import build_model

SIDE = 64


@pytest.fixture
def photographs() -> tf.Tensor:
    """Smooth ones, as those of cells are: what two interpolations differ by is small."""
    phases = np.random.default_rng(0).uniform(0, 6, (8, 1, 1, 3, 2))
    y, x = np.mgrid[:SIDE, :SIDE][:, None, :, :, None]
    waves = np.sin(x / 9 + phases[..., 0]) + np.cos(y / 7 + x / 20 + phases[..., 1])
    return tf.constant(127.5 + 60 * waves, tf.float32)


@pytest.fixture
def noise() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3)), tf.float32)


def random_layers(rotation=20.0, shift=0.1) -> list[keras.Layer]:
    return [
        keras.layers.RandomFlip("horizontal", seed=1),
        keras.layers.RandomFlip("vertical", seed=2),
        keras.layers.RandomRotation(rotation / 360, seed=3),
        keras.layers.RandomTranslation(shift, shift, seed=4),
    ]


def at_once(layers: list[keras.Layer]) -> list[keras.Layer]:
    augmentation.move_at_once(layers)
    return layers


def through(layers: list[keras.Layer], images: tf.Tensor, training=True) -> np.ndarray:
    for layer in layers:
        images = layer(images, training=training)
    return np.array(images)


def test_at_once_the_pixels_move_to_where_one_layer_after_another_moves_them(photographs):
    stock, ours = through(random_layers(), photographs), through(at_once(random_layers()), photographs)
    inside = slice(SIDE // 4, -SIDE // 4)  # where no layer has looked beyond an edge
    difference = np.abs(stock - ours)[:, inside, inside]
    assert np.abs(stock - photographs)[:, inside, inside].mean() > 20
    assert difference.max() < 2
    assert difference.mean() < 0.5


@pytest.mark.parametrize("place", range(4))
def test_a_layer_alone_does_what_it_did_the_edges_included(noise, place):
    stock, ours = through([random_layers()[place]], noise), through(at_once([random_layers()[place]]), noise)
    # The flips to the bit; the kernel that was there before computes the others in another order.
    np.testing.assert_allclose(ours, stock, atol=0 if place < 2 else 0.05)
    assert not np.array_equal(ours, noise)


@pytest.mark.parametrize("compiled", [True, False])
def test_pixels_are_those_of_tensorflows_own_kernel_as_far_as_the_largest_changes_reach(noise, compiled):
    layers = at_once(random_layers(rotation=180, shift=0.5))
    corners = at_once([keras.layers.RandomRotation((0.125, 0.125)), keras.layers.RandomTranslation((0.5, 0.5), -0.5)])
    for chain in (layers, corners):
        source = tf.eye(3)[None]
        for layer in chain:
            source = source @ layer.source(noise)
        expected = tf.raw_ops.ImageProjectiveTransformV3(
            images=noise,
            transforms=tf.reshape(source, [-1, 9])[:, :8],
            output_shape=[SIDE, SIDE],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="REFLECT",
        )
        ours = augmentation._sampler(compiled=compiled)(noise, source)
        np.testing.assert_allclose(ours, expected, atol=0.05)


def test_ranges_are_those_asked_for_and_each_flip_has_a_coin_of_its_own():
    across, down, rotation, shift = (np.array(layer.source(tf.zeros([4000, SIDE, SIDE, 3])))
                                     for layer in at_once(random_layers(rotation=30, shift=0.2)))  # fmt: skip
    degrees = np.degrees(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    pixels = shift[:, :2, 2].ravel()
    for drawn, largest in ((degrees, 30), (pixels, 0.2 * SIDE)):
        assert np.abs(drawn).max() == pytest.approx(largest, rel=0.01)
        np.testing.assert_allclose(np.quantile(drawn, [0.25, 0.5, 0.75]) / largest, [-0.5, 0, 0.5], atol=0.06)
    both = 2 * (across[:, 0, 0] < 0) + (down[:, 1, 1] < 0)
    np.testing.assert_allclose(np.bincount(both) / 4000, 0.25, atol=0.03)


def test_the_same_seed_gives_the_same_images_and_each_batch_others(noise):
    one, other = at_once(random_layers()), at_once(random_layers())
    first, second = through(one, noise), through(one, noise)
    np.testing.assert_array_equal(first, through(other, noise))
    np.testing.assert_array_equal(second, through(other, noise))
    assert not np.array_equal(first, second)
    assert through(one, noise[:5]).shape == (5, SIDE, SIDE, 3)  # an epoch's last batch


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_images_keep_their_type_and_those_that_are_scored_their_pixels(noise, dtype):
    layers = [type(layer).from_config(layer.get_config() | {"dtype": dtype}) for layer in random_layers()]
    stock = random_layers()[0].from_config(layers[0].get_config())(noise, training=True).dtype
    chain = at_once(layers)
    assert through(chain, noise).dtype == stock.as_numpy_dtype
    np.testing.assert_array_equal(through(chain, noise, training=False), noise)


def test_a_model_moves_pixels_once_and_holds_the_layers_seeds_once():
    every = Augmentation(horizontal_flip=True, vertical_flip=True, rotation=20, shift=0.1)
    config = ExperimentConfig(backbone="MobileNet", weights="none", image_size=32, augmentation=every)
    model = build_model(config, classes=4)
    chain = [layer for layer in model.layers if isinstance(layer, Faster)]
    assert [type(layer).__name__ for layer in chain] == [
        "RandomFlip", "RandomFlip", "RandomRotation", "RandomTranslation"]  # fmt: skip
    moving: list[Callable[..., object] | None] = [layer.move for layer in chain]
    assert moving[:-1] == [None] * 3
    assert moving[-1] is not None
    seeds = [variable.path for variable in model.variables if "seed_generator" in variable.path]
    assert len(seeds) == len(set(seeds)) == 5  # dropout's too
