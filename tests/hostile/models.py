"""Weights that are none, or that would read other files. Nothing but weights is ever loaded."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from bloodcell.config import ExperimentConfig
from bloodcell.errors import ConfigError, WeightsError
from bloodcell.store import LocalStore
from bloodcell.values import validated
from bloodcell.weights import check_weights, identify_weights
from tests.hostile.case import Case

_NAME = "mine.weights.h5"
_PICKLE = b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."
_PLACE = "layers/conv/vars/0"


def _bytes(data: bytes) -> Callable[[Path], str]:
    def give(folder: Path) -> str:
        (folder / _NAME).write_bytes(data)
        check_weights(folder / _NAME, f"weights/{_NAME}")
        return ""

    return give


def _hdf5(fill: Callable[[h5py.File], object], change: Callable[[bytes], bytes] = bytes) -> Callable[[Path], str]:
    def give(folder: Path) -> str:
        with h5py.File(folder / _NAME, "w") as file:
            fill(file)
        return _bytes(change((folder / _NAME).read_bytes()))(folder)

    return give


def _weights(file: h5py.File) -> None:
    file.create_dataset(_PLACE, data=np.ones((64, 64), "float32"))


def _external_link(file: h5py.File) -> None:
    file[_PLACE] = h5py.ExternalLink("/home/me/secret.h5", "/key")


def _external_bytes(file: h5py.File) -> None:
    file.create_dataset(_PLACE, shape=(16,), dtype="uint8", external=[("/etc/passwd", 0, 16)])


def _loop(file: h5py.File) -> None:
    file[_PLACE] = h5py.SoftLink(f"/{_PLACE}")


def _configured(weights: str) -> Callable[[Path], str]:
    return lambda _: validated(ExperimentConfig, {"weights": weights}, source="the experiment").weights


def _identified(name: str) -> Callable[[Path], str]:
    return lambda folder: identify_weights(LocalStore(folder / "store"), name, None)[0]


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / _NAME)
    return _identified(str(folder / _NAME))(folder)


MODELS = (
    Case("a whole model as `weights`, `x.keras`", _configured("x.keras"), "accepted are `imagenet`", ConfigError),
    Case("a pickle as `weights`, `x.pkl`", _configured("x.pkl"), "accepted are `imagenet`", ConfigError),
    Case("`weights/../../x.weights.h5`", _configured("weights/../../x.weights.h5"), "without further", ConfigError),
    Case("a pickle named `x.weights.h5`", _bytes(_PICKLE), "is no HDF5 file", WeightsError),
    Case("an empty file of weights", _bytes(b""), "is no HDF5 file", WeightsError),
    Case("weights that end early", _hdf5(_weights, lambda data: data[:-100]), "truncated", WeightsError),
    Case(
        "weights that are damaged inside",
        _hdf5(_weights, lambda data: data.replace(b"HEAP", b"XXXX")),
        "damaged",
        WeightsError,
    ),
    Case("weights with a link into another file", _hdf5(_external_link), "refers to other places", WeightsError),
    Case("weights whose bytes are those of `/etc/passwd`", _hdf5(_external_bytes), "refers to other", WeightsError),
    Case("weights with a link to itself", _hdf5(_loop), "refers to other", WeightsError),
    Case("weights of a path with a null byte", _identified("a\0.weights.h5"), "null byte", WeightsError),
    Case(
        "weights of the home of nobody, `~nobody-here/x.weights.h5`",
        _identified("~nobody-here/x.weights.h5"),
        "No such file",
        WeightsError,
    ),
    Case("weights that are a pipe, which nobody writes to", _pipe, "no plain file", WeightsError),
)
