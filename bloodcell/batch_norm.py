"""Batch normalisation by TensorFlow's fused kernel.

Keras 3 composes the layer of a dozen small operations, each of which reads the whole activation: on a CPU that is most
of a MobileNet's training step. `FusedBatchNormV3` does the same in one operation forward and one back. Where a step
learns on a CPU, `bloodcell.batch_norm_relu` does it in one with the ReLU that follows.
"""

from collections.abc import Iterator
from functools import cache
from math import inf
from typing import Any

import keras
import tensorflow as tf

from bloodcell.batch_norm_relu import batch_norm_relu, is_compiled, load
from bloodcell.faster import Faster, layers, successions
from bloodcell.provenance import NOT_USED


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
        scale, offset = self._scale_and_offset()
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
            self._move_to(mean, variance * (values - 1) / values)
        return outputs

    def _scale_and_offset(self) -> tuple[tf.Tensor, tf.Tensor]:
        return (
            tf.convert_to_tensor(self.gamma) if self.scale else tf.ones_like(self.moving_mean),
            tf.convert_to_tensor(self.beta) if self.center else tf.zeros_like(self.moving_mean),
        )

    def _move_to(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))


class _WithReLU(BatchNormalization):
    """The layer and the ReLU after it, where it learns."""

    max_value: float

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> tf.Tensor:
        if not (training and self.trainable):
            return keras.activations.relu(super().call(inputs, training, mask), max_value=self.max_value)
        normalized = batch_norm_relu(inputs, *self._scale_and_offset(), epsilon=self.epsilon, max_value=self.max_value)
        self._move_to(normalized.mean, normalized.variance)
        return normalized.outputs


class _PassedOn(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose work the one before it has done."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs


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


def with_relu(model: keras.Model) -> dict[keras.Layer, type]:
    """The layers that one kernel computes with the ReLU after them, and these, with the classes by which they learn.

    See `bloodcell.faster.learning_step`. There are none where the kernel is not compiled.

    Args:
        model: As from `fuse`, its layers frozen that are to be; models that it is made of are not looked into.

    Raises:
        ConfigError: The compiled kernel cannot be loaded.
    """
    pairs = list(_pairs(model))
    if not pairs or not is_compiled():
        return {}
    load()  # Keras would wrap its error in one of its own
    classes: dict[keras.Layer, type] = {}
    for layer, activation, cut_off in pairs:
        classes |= {layer: _class_with_relu(cut_off), activation: _PassedOn}
    return classes


def own_kernel(model: keras.Model, device: str) -> str:
    """What environment.json says of the kernel: whether it was there, if the model would learn by it at all.

    Args:
        model: As from `bloodcell.model.build_model`.
        device: Where it has learnt: `CPU`, or the GPU's name.
    """
    backbones = (layer for layer in model.layers if isinstance(layer, keras.Model))
    if device != "CPU" or not any(any(_pairs(backbone)) for backbone in backbones):
        return NOT_USED
    return "compiled" if is_compiled() else "not compiled"


def _pairs(model: keras.Model) -> Iterator[tuple[BatchNormalization, keras.Layer, float]]:
    """The layers that the kernel, which is of float32, computes with the ReLU after them, and where that cuts off."""
    for layer, activation in successions(model):
        cut_off = _cut_off(activation)
        if type(layer) is BatchNormalization and _is_plain(layer) and cut_off is not None:
            yield layer, activation, cut_off


def _is_plain(layer: BatchNormalization) -> bool:
    return bool(layer.trainable and layer.compute_dtype == "float32" and layer.activity_regularizer is None)


@cache
def _class_with_relu(max_value: float) -> type:
    return type("WithReLU", (_WithReLU,), {"max_value": max_value})


def _cut_off(layer: keras.Layer) -> float | None:
    """Above what a ReLU cuts off, infinity where it does not; None for another layer than a plain ReLU of float32."""
    if layer.compute_dtype != "float32":
        return None
    if type(layer) is keras.layers.ReLU and not layer.negative_slope and not layer.threshold:
        return inf if layer.max_value is None else float(layer.max_value)
    if type(layer) is keras.layers.Activation:
        return {keras.activations.relu: inf, keras.activations.relu6: 6.0}.get(layer.activation)
    return None


def _is_computed_by_the_kernel(layer: keras.Layer) -> bool:
    is_of_images = layer.input_spec.ndim == 4 and layer.axis in (-1, 3)
    return is_of_images and not layer.synchronized and not layer.renorm
