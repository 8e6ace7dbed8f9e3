"""What a training step costs, relative to others: known without a measurement, and so rough.

It decides in which order experiments start and whether a measurement is worth its time; never what a training computes.
"""

from bloodcell.backbones import BACKBONES
from bloodcell.config import ExperimentConfig

MULTIPLY_ADDS: dict[str, float] = {
    "MobileNet": 0.57e9,
    "InceptionV3": 5.7e9,
    "ResNet50": 3.9e9,
    "Xception": 8.4e9,
    "VGG16": 15.3e9,
}
"""Multiply-adds of the convolutions for one image of the backbone's native size, at width 1.

Parameters would not do: a weight of VGG16's first convolution is used 50,000 times an image, one of a dense layer once.
"""

_BACKWARD = 2.0
"""A backward pass takes two products for each of the forward pass: the gradient of the input, and of the weights."""

_AUGMENTATION = 150.0
"""Multiply-adds that take as long as to augment a pixel.

Measured beside MobileNet(0.25) on one thread, at 128 and 224 px: 120 to 180; on a processor with AVX-512, which trains
it by the kernel of docs/adr/0021, 68 to 79, so that a step there is taken for 3% longer than it is. Larger networks do
more multiply-adds in that time; but of their step it is a hundredth and less.
"""


def multiply_adds(config: ExperimentConfig) -> float:
    """Multiply-adds of a training step, an image; for augmentation as many as would take its time.

    They grow with the pixels, and nearly with the square of the width. Where only the head trains there is hardly a
    backward pass; that of some layers counts as whole.
    """
    native = BACKBONES[config.backbone].image_size
    forward = MULTIPLY_ADDS[config.backbone] * config.width**2 * (config.side / native) ** 2
    network = forward * (1.0 if config.trainable == "head" else 1.0 + _BACKWARD)
    return network + (_AUGMENTATION * config.side**2 if config.augmented else 0.0)
