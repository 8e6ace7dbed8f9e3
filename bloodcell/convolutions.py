"""Convolutions by the kernels that are fastest on a CPU.

- The gradient of a 1x1 convolution's kernel is one product of matrices, and faster as `MatMul` than as
  `Conv2DBackpropFilter`; the forward pass and the gradient of the images are not.
- MobileNet pads images with zeros to the right and below before a depthwise convolution of stride 2, by a layer that
  copies the whole activation, and its gradient back. Where the side is even, the convolution's own padding "same" does
  this.
"""

from collections.abc import Callable
from typing import TypeAlias

import keras
import tensorflow as tf

from bloodcell.faster import Faster, layers

_Gradients: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Conv2D(Faster, keras.layers.Conv2D):  # type: ignore[misc]
    """`keras.layers.Conv2D` of 1x1 kernels and stride 1."""

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        """As the stock layer.

        Args:
            inputs: Of shape (batch, height, width, channels), in the layer's compute type.
            kernel: Of shape (1, 1, channels, filters).
        """
        return _pointwise(inputs, tf.convert_to_tensor(kernel))


class ZeroPadding2D(Faster, keras.layers.ZeroPadding2D):  # type: ignore[misc]
    """`keras.layers.ZeroPadding2D` that leaves it to the convolution after it."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The inputs as they are."""
        return inputs


class DepthwiseConv2D(Faster, keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """`keras.layers.DepthwiseConv2D` of stride 2, without bias and activation, that pads its inputs itself."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """As the stock layer of inputs that are padded.

        Args:
            inputs: Of shape (batch, height, width, channels), of even height and width, in the layer's compute type.
        """
        return tf.nn.depthwise_conv2d(inputs, tf.convert_to_tensor(self.kernel), strides=[1, 2, 2, 1], padding="SAME")


def exchange(model: keras.Model) -> None:
    """Have the convolutions of a built model computed by these layers, where they compute the same.

    Args:
        model: Changed in place, with the models that it is made of; before it is called for a training.
    """
    every = list(layers(model))
    for layer in every:
        if type(layer) is keras.layers.Conv2D and _is_pointwise(layer):
            layer.__class__ = Conv2D
        elif type(layer) is keras.layers.ZeroPadding2D:
            after = [other for other in every if other.input is layer.output]
            if [type(other) for other in after] == [keras.layers.DepthwiseConv2D] and _is_same(layer, *after):
                layer.__class__, after[0].__class__ = ZeroPadding2D, DepthwiseConv2D


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _pointwise(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, _Gradients]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="VALID"
        )
        channels, filters = kernel.shape[2:]
        positions, there = tf.reshape(images, [-1, channels]), tf.reshape(upstream, [-1, filters])
        return of_images, tf.reshape(tf.matmul(positions, there, transpose_a=True), kernel.shape)

    return tf.nn.conv2d(images, kernel, strides=1, padding="VALID"), gradients


def _is_pointwise(layer: keras.layers.Conv2D) -> bool:
    shape = (layer.kernel_size, layer.strides, layer.groups, layer.data_format)
    return shape == ((1, 1), (1, 1), 1, "channels_last")


def _is_same(pad: keras.layers.ZeroPadding2D, convolution: keras.layers.DepthwiseConv2D) -> bool:
    """Whether "same" is what the two do: TensorFlow adds the odd row and column of zeros at the end."""
    _, height, width, _ = pad.input.shape
    if None in (height, width) or height % 2 or width % 2:
        return False
    padded = (pad.padding, pad.data_format, convolution.data_format, convolution.padding)
    shape = (convolution.kernel_size, convolution.strides, convolution.use_bias, convolution.activation)
    return padded == (((0, 1), (0, 1)), "channels_last", "channels_last", "valid") and (
        shape == ((3, 3), (2, 2), False, keras.activations.linear)
    )
