"""Where in an image a network finds what speaks for a class.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra (2017), "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", ICCV: the channels of the last convolutional feature map, each weighted by the mean over
all places of the class score's gradient, are summed, and what is negative is dropped. The score is the one before the
softmax.
"""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

_BATCH = 8  # needs less memory than a training of the smallest batches

_POOLING = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)


def gradcam(
    model: keras.Model, images: npt.NDArray[np.uint8], classes: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """The maps of some images, dropout off; nothing of the model changes.

    Args:
        model: A chain as `bloodcell.model.build_model` makes it: what prepares an image, the backbone as a model within
            the model, and the head, whose last layer is dense with softmax.
        images: Shape (n, side, side, 3), RGB from 0 to 255.
        classes: Shape (n,): number of the class to explain in each.

    Returns:
        Shape (n, height, width) of the feature map, each map from 0 to 1 at its highest place; all 0 where nothing
        speaks for the class.
    """
    backbone = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    before = model.operations[model.operations.index(backbone) - 1]
    prepare = keras.Model(model.input, before.output)
    # The last convolution is in front of a pooling layer that may close the backbone, as it does VGG16's.
    closing = [layer for layer in backbone.layers[-1:] if isinstance(layer, _POOLING)]
    convolve = keras.Model(backbone.input, closing[0].input if closing else backbone.output)
    head = [*closing, *model.layers[model.layers.index(backbone) + 1 :]]
    maps = []
    for start in range(0, len(images), _BATCH):
        batch = slice(start, start + _BATCH)
        # Augmentation layers take themselves to be in training unless told otherwise.
        features = convolve(prepare(images[batch], training=False), training=False)
        maps.append(_maps(features, head, classes[batch]))
    return np.concatenate(maps)


def _maps(features: tf.Tensor, head: list[keras.Layer], classes: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    *hidden, last = head
    with tf.GradientTape() as tape:
        tape.watch(features)
        x = features
        for layer in hidden:
            x = layer(x, training=False)
        scores = tf.cast(x, tf.float32) @ last.kernel + last.bias
        score = tf.reduce_sum(tf.gather(scores, classes, batch_dims=1))  # an image's gradient is its own score's alone
    weights = tf.reduce_mean(tf.cast(tape.gradient(score, features), tf.float32), axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * tf.cast(features, tf.float32), axis=-1)).numpy()
    highest = maps.max(axis=(1, 2), keepdims=True)
    scaled: npt.NDArray[np.float32] = np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
    return scaled
