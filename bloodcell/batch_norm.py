"""Batch normalisation by TensorFlow's fused kernel.

Keras 3 composes the layer of a dozen small operations, each of which reads the whole activation: on a CPU that is most
of a MobileNet's training step. `FusedBatchNormV3` does the same in one operation forward and one back.
"""

from typing import Any

import keras
import tensorflow as tf

from bloodcell.faster import Faster, layers


class BatchNormalization(Faster, keras.layers.BatchNormalization):  # type: ignore[misc]
    """`keras.layers.BatchNormalization` of images in channels-last order, by the fused kernel."""

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:  # noqa: ARG002
        """As the stock layer: by the batch's statistics where it trains, by the moving ones otherwise.

        Args:
            inputs: Of shape (batch, height, width, channels), in the layer's compute type.
            training: Whether the model trains.
            mask: None, as `fuse` has seen to; images have no mask.
        """
        learns = bool(training) and self.trainable
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones_like(self.moving_mean)
        offset = tf.convert_to_tensor(self.beta) if self.center else tf.zeros_like(self.moving_mean)
        none = tf.zeros([0], scale.dtype)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=scale,
            offset=offset,
            mean=none if learns else tf.convert_to_tensor(self.moving_mean),
            variance=none if learns else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=learns,
        )
        if learns:
            # The kernel normalises by the batch's variance, but returns an estimate of the population's.
            values = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], variance.dtype)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * (values - 1) / values)
        return outputs

    def _move(self, moving: keras.Variable, batch: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))


def fuse(model: keras.Model) -> None:
    """Have the batch normalisation of a built model computed by the fused kernel; before it is called for a training.

    Layers that the kernel does not compute stay stock: of another axis than the last of four, synchronised or
    renormalised.

    Args:
        model: Changed in place, with the models that it is made of.
    """
    for layer in layers(model):
        if type(layer) is keras.layers.BatchNormalization and _is_computed_by_the_kernel(layer):
            layer.__class__ = BatchNormalization


def _is_computed_by_the_kernel(layer: keras.Layer) -> bool:
    is_of_images = layer.input_spec.ndim == 4 and layer.axis in (-1, 3)
    return is_of_images and not layer.synchronized and not layer.renorm
