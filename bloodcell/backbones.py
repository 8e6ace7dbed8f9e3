"""The table of ImageNet backbones, as data: importing it loads no TensorFlow.

`bloodcell.model` resolves a row to Keras; `bloodcell.config` checks values against it. A backbone
that keras.applications has needs one more row here and nothing else.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """One row of `BACKBONES`.

    Attributes:
        module: Module below `keras.applications` that holds the constructor and its preprocess_input.
        constructor: Name of the constructor in that module.
        image_size: Side of the images the ImageNet weights were trained on, in pixels.
        minimum_size: Smallest side the network accepts, in pixels.
        imagenet_widths: Width multipliers for which ImageNet weights exist; (1.0,) where the network
            has no width multiplier.
    """

    module: str
    constructor: str
    image_size: int
    minimum_size: int
    imagenet_widths: tuple[float, ...] = (1.0,)

    @property
    def has_width(self) -> bool:
        """Whether the network takes a width multiplier."""
        return len(self.imagenet_widths) > 1


# Sizes: the `input_shape` checks of keras.applications (Keras 3.15).
BACKBONES: dict[str, Backbone] = {
    "MobileNet": Backbone("mobilenet", "MobileNet", 224, 32, imagenet_widths=(0.25, 0.5, 0.75, 1.0)),
    "InceptionV3": Backbone("inception_v3", "InceptionV3", 299, 75),
    "ResNet50": Backbone("resnet", "ResNet50", 224, 32),
    "Xception": Backbone("xception", "Xception", 299, 71),
    "VGG16": Backbone("vgg16", "VGG16", 224, 32),
}
