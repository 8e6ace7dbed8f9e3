"""Maps of networks of which it is known where they look."""

import keras
import numpy as np
import pytest

from bloodcell.backbones import BACKBONES
from bloodcell.config import Augmentation, ExperimentConfig
from bloodcell.gradcam import gradcam
from bloodcell.model import build_model

CORNERS = {"top left": (0, 0), "top right": (0, 3), "bottom left": (3, 0), "bottom right": (3, 3)}


def colour_model(pooled: bool = False) -> keras.Model:
    """Class 0 is how much red there is, class 1 how much blue, in 4 x 4 places of 8 px."""
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(2, 8, strides=8, use_bias=False, name="colours")(image)
    backbone = keras.Model(image, keras.layers.MaxPooling2D()(x) if pooled else x)
    outer = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(backbone(keras.layers.Rescaling(1 / 255)(outer)))
    model = keras.Model(outer, keras.layers.Dense(2, activation="softmax", use_bias=True)(x))
    kernel = np.zeros((8, 8, 3, 2), np.float32)
    kernel[..., 0, 0] = kernel[..., 2, 1] = 1 / 64
    backbone.get_layer("colours").set_weights([kernel])
    places = 4 if pooled else 16
    model.layers[-1].set_weights([np.tile(np.eye(2, dtype=np.float32), (places, 1)), np.zeros(2, np.float32)])
    return model


def patched(**corners: tuple[int, int]) -> np.ndarray:
    """A black image with a red and a blue patch."""
    image = np.zeros((1, 32, 32, 3), np.uint8)
    for channel, (row, column) in zip((0, 2), (corners["red"], corners["blue"]), strict=True):
        image[0, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, channel] = 255
    return image


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("corner", CORNERS)
def test_the_corner_that_makes_the_class_lights_up_and_no_other_place(corner, pooled):
    red = CORNERS[corner]
    blue = (3 - red[0], 3 - red[1])
    model, image = colour_model(pooled), patched(red=red, blue=blue)
    for number, place in enumerate((red, blue)):
        (found,) = gradcam(model, image, np.array([number]))
        expected = np.zeros((4, 4))
        expected[place] = 1
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_speaks_against_a_class_is_dark():
    model = colour_model()
    model.layers[-1].set_weights([-model.layers[-1].get_weights()[0], np.zeros(2, np.float32)])
    assert not gradcam(model, patched(red=(0, 0), blue=(3, 3)), np.array([0])).any()


def small(**changes) -> ExperimentConfig:
    fields = {"backbone": "MobileNet", "width": 0.25, "weights": "none", "image_size": 96, "dropout": 0.5}
    return ExperimentConfig(**fields | changes)


def noise(side: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_the_map_is_that_of_gradients_by_finite_differences():
    keras.utils.set_random_seed(3)
    model, images = build_model(small(hidden_layers=2), 3), noise(96, count=9)  # more than a batch
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    features = backbone(keras.applications.mobilenet.preprocess_input(images.astype(np.float32))).numpy()
    assert features.shape[1:] == (3, 3, 256)
    dense = [layer.get_weights() for layer in model.layers if isinstance(layer, keras.layers.Dense)]

    def scores(maps: np.ndarray) -> np.ndarray:
        x = maps.reshape(len(maps), -1).astype(np.float64)
        for kernel, bias in dense[:-1]:
            x = np.maximum(x @ kernel + bias, 0)
        return x @ dense[-1][0] + dense[-1][1]

    classes = np.arange(9) % 3
    found = gradcam(model, images, classes)
    step = 1e-4 * features.std()
    steps = np.eye(9 * 256).reshape(-1, 3, 3, 256) * step
    for image, number in enumerate(classes):
        up, down = scores(features[image] + steps), scores(features[image] - steps)
        gradient = ((up - down)[:, number] / (2 * step)).reshape(9, 256)
        gradient[abs(gradient) < 1e-8] = 0  # where all hidden units are silent, but for what is rounded
        expected = np.maximum((features[image] * gradient.mean(axis=0)).sum(axis=-1), 0)
        np.testing.assert_allclose(found[image], expected / (expected.max() or 1), atol=1e-4)
    assert sum(one.max() == 1 for one in found) > 2


# Of the last convolution: VGG16 halves its map once more behind it.
MAPS = {"MobileNet": (1, 1), "InceptionV3": (1, 1), "ResNet50": (1, 1), "Xception": (3, 3), "VGG16": (2, 2)}


@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_has_maps(name):
    side = BACKBONES[name].minimum_size
    config = small(backbone=name, image_size=side, width=0.25 if BACKBONES[name].has_width else 1.0)
    found = gradcam(build_model(config, 4), noise(side), np.array([0, 3]))
    assert found.shape == (2, *MAPS[name])
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": Augmentation(horizontal_flip=True, rotation=20, shift=0.1)},
        {"precision": "mixed_bfloat16"},
        {"hidden_layers": 0},
    ],
    ids=str,
)
def test_maps_are_the_same_each_time_and_nothing_of_the_model_changes(changes):
    keras.utils.set_random_seed(0)
    model, images = build_model(small(**changes), 4), noise(96)
    config, weights = model.to_json(), [weight.copy() for weight in model.get_weights()]
    probabilities = model.predict(images, verbose=0)
    first, second = (gradcam(model, images, np.array([1, 2])) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert model.to_json() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(model.predict(images, verbose=0), probabilities)
