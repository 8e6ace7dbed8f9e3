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

from bloodcell.faster import Faster, layers, successions

_Gradients: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Conv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """`keras.layers.Conv2D` of 1x1 kernels and stride 1."""

    def convolution_op(self, inputs: tf.Tensor, kernel: keras.Variable) -> tf.Tensor:
        """As the stock layer.

        Args:
            inputs: Of shape (batch, height, width, channels), in the layer's compute type.
            kernel: Of shape (1, 1, channels, filters).
        """
        return _pointwise(inputs, tf.convert_to_tensor(kernel))


class ZeroPadding2D(Faster, keras.layers.ZeroPadding2D):  # type: ignore[misc]
    """`keras.layers.ZeroPadding2D` that leaves it to the convolution after it, whatever shape `output` has."""

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


def pad_within(backbone: keras.Model) -> None:
    """Have depthwise convolutions pad their images, where a layer before them does and "same" is what it does.

    Args:
        backbone: As `keras.applications` makes them; changed in place.
    """
    for pad, convolution in successions(backbone):
        kinds = (type(pad), type(convolution))
        if kinds == (keras.layers.ZeroPadding2D, keras.layers.DepthwiseConv2D) and _is_same(pad, convolution):
            pad.__class__, convolution.__class__ = ZeroPadding2D, DepthwiseConv2D


def pointwise(model: keras.Model) -> dict[keras.Layer, type]:
    """The convolutions of 1x1 kernels, with the class by which they learn: see `bloodcell.faster.learning_step`.

    Only while a step is traced that learns: the graphs that score have plain convolutions, which TensorFlow fuses with
    what follows them. TensorFlow never forgets a custom gradient, and so keeps the step's graph for as long as the
    process lives (https://github.com/tensorflow/tensorflow/issues/97697).
    """
    found = [layer for layer in layers(model) if type(layer) is keras.layers.Conv2D and _is_pointwise(layer)]
    return dict.fromkeys(found, Conv2D)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _pointwise(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, _Gradients]:
    """The convolution and its gradients: of (batch, height, width, channels) by (1, 1, channels, filters)."""

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="VALID"
        )
        channels, filters = kernel.shape[2:]
        positions = tf.reshape(images, [-1, channels])
        upstream_positions = tf.reshape(upstream, [-1, filters])
        of_kernel = tf.matmul(positions, upstream_positions, transpose_a=True)
        return of_images, tf.reshape(of_kernel, kernel.shape)

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
    shape = (convolution.kernel_size, convolution.strides, convolution.dilation_rate)
    after = (convolution.use_bias, convolution.activation)
    return (padded, shape, after) == (
        (((0, 1), (0, 1)), "channels_last", "channels_last", "valid"),
        ((3, 3), (2, 2), (1, 1)),
        (False, keras.activations.linear),
    )
