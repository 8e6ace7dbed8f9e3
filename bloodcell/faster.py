"""Layers of Keras whose class is exchanged for one that computes the same by faster kernels, alone or two together.

Only the class changes: name, weights and configuration stay what they are. While a model is saved its layers are
Keras's own again, so that a saved model needs nothing of this package.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

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


def successions(model: keras.Model) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Pairs of layers that are called once each, the second of which alone reads what the first has computed.

    Args:
        model: As built, of layers one after another or as a graph. Models that it is made of are not looked into, and
            others that share its layers are not seen.
    """
    readers: defaultdict[int, list[keras.Layer]] = defaultdict(list)
    # Keras tells of a layer's calls in no other way: `input` and `output` are those of the first.
    called_once = [layer for layer in model.layers if len(layer._inbound_nodes) == 1]
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                readers[id(tensor)].append(layer)
    outputs = {id(tensor) for tensor in model.outputs}
    for layer in called_once:
        read_by = readers[id(layer.output)]
        if len(read_by) == 1 and read_by[0] in called_once and id(layer.output) not in outputs:
            yield layer, read_by[0]


def learning_step(model: keras.Model, classes: Mapping[keras.Layer, type]) -> Callable[[Any], Any]:
    """The `train_step` of a compiled model, traced with other classes than those that score.

    Args:
        model: The model.
        classes: By layer.
    """
    stock_step: Callable[[Any], Any] = model.train_step

    def step(data: Any) -> Any:
        with exchanged(classes):
            return stock_step(data)

    return step


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
