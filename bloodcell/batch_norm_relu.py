"""A kernel of this project's own, of which TensorFlow has none: batch normalisation with the ReLU after it.

It is compiled when the package is installed (`setup.py`), where there is a C++ compiler. Where there was none, the two
are computed one after the other by TensorFlow's kernels, to the same numbers within rounding.
"""

import hashlib
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from bloodcell.errors import ConfigError

SOURCE = Path(__file__).with_name("batch_norm_relu.cc")

FLAGS = ("-O3", "-g0", "-DNDEBUG", "-fno-trapping-math")
"""Of the compiler, beside TensorFlow's own; by NDEBUG the headers mean what they meant in TensorFlow's releases."""


class Normalized(NamedTuple):
    """What the kernel computes: see `batch_norm_relu`."""

    outputs: tf.Tensor
    mean: tf.Tensor
    variance: tf.Tensor


def library() -> Path:
    """Where the compiled kernel is, if it is: a name that no other source, platform or build of TensorFlow has."""
    tensorflow = (tf.__version__, tf.version.GIT_VERSION, tf.version.COMPILER_VERSION)
    made_of = "\0".join((*tensorflow, sysconfig.get_platform(), *FLAGS, SOURCE.read_text(encoding="utf-8")))
    return SOURCE.with_name(f"batch_norm_relu-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.so")


@cache
def is_compiled() -> bool:
    """Whether the kernel is there, for this source, platform and TensorFlow."""
    return library().exists()


def batch_norm_relu(
    images: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, *, epsilon: float, max_value: float
) -> Normalized:
    """Normalise each channel by its mean and variance in this batch, scale it, and cut it off below zero and above.

    S. Ioffe and C. Szegedy, Batch Normalization (2015), https://arxiv.org/abs/1502.03167, algorithm 1.

    Args:
        images: float32 of shape (..., channels), with a position at least.
        scale: float32 of shape (channels,); gamma.
        offset: float32 of shape (channels,); beta.
        epsilon: Added to the variance.
        max_value: What the ReLU cuts off above; infinity where it does not.

    Returns:
        The outputs, of the shape of the images; mean and variance of each channel, the latter biased, that is of n
        values and not of n - 1. The outputs alone have a gradient, and a first one only.

    Raises:
        ConfigError: The kernel cannot be loaded.
    """
    kernel = load().batch_norm_relu
    outputs, *statistics = kernel(x=images, scale=scale, offset=offset, epsilon=epsilon, max_value=max_value)
    return Normalized(outputs, *map(tf.stop_gradient, statistics))


@cache
def load() -> Any:
    """The module of the compiled operations, loaded once.

    Raises:
        ConfigError: It cannot be loaded.
    """
    try:
        operations = tf.load_op_library(str(library()))
    except tf.errors.OpError as error:
        raise ConfigError(
            f"the compiled kernel {library()} cannot be loaded: {error.message}",
            remedy="delete that file: TensorFlow's own kernels do the same, a little slower",
        ) from error

    @tf.RegisterGradient("BatchNormRelu")  # type: ignore[untyped-decorator]
    def gradient(forward: tf.Operation, upstream: tf.Tensor, *_: tf.Tensor) -> Any:
        images, scale, offset = forward.inputs
        _, mean, variance = forward.outputs
        settings = {name: forward.get_attr(name) for name in ("epsilon", "max_value")}
        return operations.batch_norm_relu_grad(
            dy=upstream, x=images, scale=scale, offset=offset, mean=mean, variance=variance, **settings
        )

    return operations
