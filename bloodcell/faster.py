"""Layers of Keras whose class is exchanged for one that computes the same by faster kernels, alone or two together.

Only the class changes: name, weights and configuration stay what they are. While a model is saved its layers are
Keras's own again, so that a saved model needs nothing of this package.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

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
def exchanged(classes: Mapping[keras.Layer, type]) -> Iterator[None]:
    """Give layers other classes for a while."""
    before = {layer: type(layer) for layer in classes}
    for layer, other in classes.items():
        layer.__class__ = other
    try:
        yield
    finally:
        for layer, own in before.items():
            layer.__class__ = own


def stock(model: keras.Model) -> AbstractContextManager[None]:
    """Make all layers those of Keras, for as long as the model is saved."""
    faster = [layer for layer in layers(model) if isinstance(layer, Faster)]
    return exchanged({layer: getattr(keras.layers, type(layer).__name__) for layer in faster})
