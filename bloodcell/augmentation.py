"""Augmentation in one pass: what Keras's random layers draw is composed, and the pixels move once.

Keras's layers move the pixels of a batch once each, which for three of them takes three quarters as long as a step of a
small MobileNet.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial, reduce

import keras
import tensorflow as tf

from bloodcell.faster import Faster


class _Moving(Faster):
    """A random layer whose pixels move in one pass with those of the layers before and after it."""

    compute_dtype: str  # the stock layer's
    move: Callable[[tf.Tensor], tf.Tensor] | None = None
    """What the last layer of a chain does for all of it; the others hand the images on."""

    def call(self, data: tf.Tensor, training: bool = True) -> tf.Tensor:
        """As the stock layers one after another, where the model trains.

        Args:
            data: Images of shape (batch, height, width, channels).
            training: Whether the model trains.
        """
        images = tf.cast(data, self.compute_dtype)
        return self.move(images) if training and self.move else images


class RandomFlip(_Moving, keras.layers.RandomFlip):  # type: ignore[misc]
    """`keras.layers.RandomFlip` in one pass with others."""

    def source(self, images: tf.Tensor) -> tf.Tensor:
        """Draw, for each image, where the pixels come from: see `_affine`; x becomes width - 1 - x, or y so."""
        height, width = images.shape[1:3]
        sign = 1.0 - 2.0 * tf.cast(tf.reshape(self.get_random_transformation(images)["flips"], [-1]), tf.float32)
        one, none = tf.ones_like(sign), tf.zeros_like(sign)
        across, down = (sign if name in self.mode else one for name in ("horizontal", "vertical"))
        far_x, far_y = (1.0 - across) / 2.0 * (width - 1), (1.0 - down) / 2.0 * (height - 1)
        return _affine(tf.stack([across, none, far_x, none, down, far_y], axis=1))


class RandomRotation(_Moving, keras.layers.RandomRotation):  # type: ignore[misc]
    """`keras.layers.RandomRotation` in one pass with others."""

    def source(self, images: tf.Tensor) -> tf.Tensor:
        """Draw, for each image, where the pixels come from: see `_affine`; around the image's centre."""
        return _affine(self.get_random_transformation(images)["rotation_matrix"][:, :6])


class RandomTranslation(_Moving, keras.layers.RandomTranslation):  # type: ignore[misc]
    """`keras.layers.RandomTranslation` in one pass with others."""

    def source(self, images: tf.Tensor) -> tf.Tensor:
        """Draw, for each image, where the pixels come from: see `_affine`; x becomes x - dx, and y becomes y - dy."""
        right, down = tf.unstack(self.get_random_transformation(images)["translations"], axis=1)
        one, none = tf.ones_like(right), tf.zeros_like(right)
        return _affine(tf.stack([one, none, -right, none, one, -down], axis=1))


_MOVING: dict[type, type] = {
    keras.layers.RandomFlip: RandomFlip,
    keras.layers.RandomRotation: RandomRotation,
    keras.layers.RandomTranslation: RandomTranslation,
}


def move_at_once(chain: Sequence[keras.Layer]) -> None:
    """Have random layers that follow one another move the pixels once, by what each of them draws as ever.

    Beyond the edges the image is mirrored, as with the stock layers; of several of these each mirrors what the one
    before it has made, its corners filled already.

    Args:
        chain: Keras's flips, rotations and translations with their default fill mode and interpolation, in order;
            changed in place.
    """
    for layer in chain:
        layer.__class__ = _MOVING[type(layer)]
    if chain:
        # Keras would take the layers for parts of the last one, were they an attribute by themselves.
        chain[-1].move = partial(_moved, tuple(chain))


def _moved(chain: Sequence[keras.Layer], images: tf.Tensor) -> tf.Tensor:
    """The images after all layers of the chain, in their own type."""
    source = reduce(tf.matmul, [layer.source(images) for layer in chain])  # the last layer's map is applied first
    sampled = _sampler(compiled=not tf.config.list_physical_devices("GPU"))
    return tf.cast(sampled(tf.cast(images, tf.float32), source), images.dtype)


def _affine(rows: tf.Tensor) -> tf.Tensor:
    """Matrices that take a place (x, y, 1) of the new image to where its pixel is in the old one.

    Places are those of the pixels' centres, x to the right and y down, from (0, 0) for the first.

    Args:
        rows: The two rows that differ, of shape (batch, 6).

    Returns:
        Shape (batch, 3, 3).
    """
    last = tf.broadcast_to([[[0.0, 0.0, 1.0]]], [tf.shape(rows)[0], 1, 3])
    return tf.concat([tf.reshape(rows, [-1, 2, 3]), last], axis=1)


@cache
def _sampler(*, compiled: bool) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """`_sampled`; on a CPU XLA makes one loop of it, a fifth of the time of `ImageProjectiveTransformV3`."""
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = tf.function(_sampled, jit_compile=compiled)
    return function


def _sampled(images: tf.Tensor, source: tf.Tensor) -> tf.Tensor:
    """The images with their pixels from elsewhere: of four pixels the mean, each weighed by how near it is.

    As `ImageProjectiveTransformV3` does with interpolation "bilinear" and fill mode "reflect".

    Args:
        images: float32 of shape (batch, height, width, channels), of two rows and columns at least.
        source: As from `_affine`, of places that are less than a side beyond the edges.
    """
    height, width, channels = images.shape[1:]
    columns, rows = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)[:, None]
    entry = source[:, :, :, None, None]
    x = _mirrored(entry[:, 0, 0] * columns + entry[:, 0, 1] * rows + entry[:, 0, 2], width)
    y = _mirrored(entry[:, 1, 0] * columns + entry[:, 1, 1] * rows + entry[:, 1, 2], height)
    left, above = tf.minimum(tf.floor(x), width - 2.0), tf.minimum(tf.floor(y), height - 2.0)
    line = tf.range(tf.shape(images)[0])[:, None, None] * height + tf.cast(above, tf.int32)
    place, pixels = line * width + tf.cast(left, tf.int32), tf.reshape(images, [-1, channels])

    def between(place: tf.Tensor) -> tf.Tensor:
        here, beside = tf.gather(pixels, place), tf.gather(pixels, place + 1)
        return here + (beside - here) * (x - left)[..., None]

    upper, lower = between(place), between(place + width)
    return upper + (lower - upper) * (y - above)[..., None]


def _mirrored(place: tf.Tensor, size: int) -> tf.Tensor:
    """Places within an image that goes on mirrored at its edges: d c b a | a b c d | d c b a."""
    return tf.clip_by_value(size - 0.5 - tf.abs(size - tf.abs(place + 0.5)), 0.0, size - 1.0)
