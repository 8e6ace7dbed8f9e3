"""Layers of Keras whose class is exchanged for one that computes the same by faster kernels.

Only the class changes: name, weights and configuration stay what they are. While a model is saved its layers are
Keras's own again, so that a saved model needs nothing of this package.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


class Faster:
    """Marks a class that replaces Keras's of the same name, which is part of the paths in a file of weights."""


def layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a model, and those of the models that it is made of."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers(layer)
        else:
            yield layer


@contextmanager
def stock(model: keras.Model) -> Iterator[None]:
    """Make all layers those of Keras, for as long as the model is saved."""
    exchanged = [(layer, type(layer)) for layer in layers(model) if isinstance(layer, Faster)]
    for layer, own in exchanged:
        layer.__class__ = getattr(keras.layers, own.__name__)
    try:
        yield
    finally:
        for layer, own in exchanged:
            layer.__class__ = own
