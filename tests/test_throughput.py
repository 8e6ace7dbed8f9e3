import numpy as np
import pytest

from bloodcell import throughput
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
