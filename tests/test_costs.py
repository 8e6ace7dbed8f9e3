import keras
import pytest

from bloodcell.backbones import BACKBONES
from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.costs import MULTIPLY_ADDS, multiply_adds


def config(**fields) -> ExperimentConfig:
    return ExperimentConfig(weights="none", **fields)


def counted(layer: keras.layers.Layer) -> float:
    """Multiply-adds of a convolution: each weight of its kernels is used once for each pixel of its output."""
    pixels = layer.output.shape[1] * layer.output.shape[2]
    return sum(pixels * weight.value.numpy().size for weight in layer.weights if "kernel" in weight.name)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_table_is_what_the_networks_do(name):
    backbone = BACKBONES[name]
    module = getattr(keras.applications, backbone.module)
    shape = (backbone.image_size, backbone.image_size, 3)
    model = getattr(module, backbone.constructor)(include_top=False, weights=None, input_shape=shape)
    convolutions = [layer for layer in model.layers if "Conv" in type(layer).__name__]
    assert MULTIPLY_ADDS[name] == pytest.approx(sum(map(counted, convolutions)), rel=0.02)


def test_cost_grows_with_pixels_and_width_and_what_trains():
    whole = multiply_adds(config(backbone="MobileNet"))
    assert whole == pytest.approx(3 * 0.57e9)
    assert multiply_adds(config(backbone="MobileNet", image_size=112)) == pytest.approx(whole / 4)
    assert multiply_adds(config(backbone="MobileNet", width=0.5)) == pytest.approx(whole / 4)
    assert multiply_adds(config(backbone="MobileNet", trainable="head")) == pytest.approx(whole / 3)
    assert multiply_adds(config(backbone="MobileNet", trainable=4)) == whole


def test_augmentation_costs_by_the_pixel_whatever_the_network():
    def extra(**fields) -> float:
        augmented = config(augmentation=Augmentation(rotation=20), **fields)
        return multiply_adds(augmented) - multiply_adds(config(**fields))

    small = extra(backbone="MobileNet", width=0.25, image_size=128)
    step = multiply_adds(config(backbone="MobileNet", width=0.25, image_size=128))
    assert small / step == pytest.approx(0.07, abs=0.015)  # of a step, as measured
    assert extra(backbone="VGG16", image_size=128) == small
    assert extra(backbone="MobileNet", trainable="head", image_size=256) == pytest.approx(4 * small)
    nothing = config(augmentation=Augmentation())
    assert multiply_adds(nothing) == multiply_adds(config())
