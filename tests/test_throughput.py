from collections.abc import Callable

import keras
import numpy as np
import pytest

from bloodcell import throughput
from bloodcell.config import Augmentation
from bloodcell.errors import ConfigError
from bloodcell.shapes import ModelShape
from bloodcell.throughput import peak_memory, train_until_stopped


def test_the_peak_is_kept_when_the_memory_is_given_back():
    before = peak_memory()
    held = np.ones(before // 8 + 2**24)
    del held
    assert peak_memory() >= before + 2**26


def test_cores_are_not_measured_where_a_gpu_trains(small, settings, monkeypatch):
    monkeypatch.setattr(throughput, "set_up", lambda *_: "Tesla T4")
    with pytest.raises(ConfigError, match="experiments train on Tesla T4 here"):
        train_until_stopped(ModelShape.of(small), settings)


@pytest.mark.parametrize("augmentation", [None, Augmentation(rotation=20)], ids=["plain", "augmented"])
def test_what_is_measured_of_a_shape_augments_where_its_experiments_do(small, settings, monkeypatch, augmentation):
    drawn: list[int] = []
    build: Callable[..., keras.Model] = throughput.build_model

    def built(*arguments) -> keras.Model:
        model = build(*arguments)
        for layer in model.layers:
            if isinstance(layer, keras.layers.RandomRotation):
                layer.get_random_transformation = counted(layer.get_random_transformation)
        return model

    def counted(draw: Callable[..., object]) -> Callable[..., object]:
        def count(*given, **named) -> object:
            drawn.append(1)
            return draw(*given, **named)

        return count

    monkeypatch.setattr(throughput, "set_up", lambda *_: "CPU")
    monkeypatch.setattr(throughput, "_STEPS", 1)
    monkeypatch.setattr(throughput, "build_model", built)
    train_until_stopped(ModelShape.of(small.model_copy(update={"augmentation": augmentation})), settings)
    assert bool(drawn) == (augmentation is not None)
