"""Adam by TensorFlow's fused kernel.

Keras 3 composes the update of each variable of some thirty operations: three fifths of a training step's graph, which
take seconds to trace at every start, and a twentieth of a small network's step. `ResourceApplyAdam` is one. As in
`bloodcell.faster` the optimizer is changed by its class alone, and is stock again while it is saved.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

_Stock = keras.optimizers.Adam


class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """`keras.optimizers.Adam` of dense gradients by the fused kernel; of the same name, which a saved model holds."""

    _powers: tuple[tf.Tensor, tf.Tensor]

    def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> Any:
        """As the stock optimizer; see `keras.optimizers.Optimizer.apply`."""
        step = tf.cast(self.iterations, tf.float32) + 1.0
        self._powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)  # for all variables at once
        return super().apply(grads, trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One step of one variable: Kingma and Ba, Adam (ICLR 2015), the form before section 2.1, as Keras has it.

        Args:
            gradient: Of the variable's shape.
            variable: Changed in place, and its two moments.
            learning_rate: A scalar.
        """
        index, dtype = self._get_variable_index(variable), variable.dtype
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.cast(self._powers[0], dtype),
            beta2_power=tf.cast(self._powers[1], dtype),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Have an optimizer that is Keras's plain Adam computed by the fused kernel; another one stays as it is.

    Args:
        optimizer: Of a compiled model; changed in place.
    """
    inner = _inner(optimizer)
    if type(inner) is _Stock and not inner.amsgrad:
        inner.__class__ = Adam


@contextmanager
def stock(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Make it Keras's own, for as long as the model is saved."""
    inner = _inner(optimizer)
    is_fused = type(inner) is Adam
    if is_fused:
        inner.__class__ = _Stock
    try:
        yield
    finally:
        if is_fused:
            inner.__class__ = Adam


def _inner(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Itself, or what is in the one that scales a float16 loss."""
    is_scaling = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    return optimizer.inner_optimizer if is_scaling else optimizer
