"""What a training needs in order to go on from where it was interrupted, as one object of the store.

A checkpoint's name ends in the SHA-256 of its bytes, so that a damaged one is told from a whole one wherever the bytes
have been. Two are kept: should the newest be damaged, little more is lost.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from bloodcell import artifacts
from bloodcell.artifacts import EpochRecord
from bloodcell.errors import CorruptObjectError, ObjectNotFoundError
from bloodcell.store import Store
from bloodcell.values import Frozen

KEPT = 2
"""Checkpoints of a training that stay in the store; the older ones go."""

_NAME = re.compile(r"(?P<epoch>\d{5})-(?P<step>\d{7})-(?P<sha256>[0-9a-f]{64})\.npz")
_HEADER = "header"

T = TypeVar("T")

Arrays = Mapping[str, npt.NDArray[np.generic]]


class Patience(Frozen):
    """What early stopping knows: the attributes of `keras.callbacks.EarlyStopping`."""

    best: float | None = Field(description="Best value of the monitored figure.")
    best_epoch: int = Field(description="Its epoch, from 0.")
    wait: int = Field(description="Epochs since.")
    stopped_epoch: int = Field(description="The epoch after which it stopped training, from 0; 0 where it did not.")


class Progress(Frozen):
    """How far a training has come."""

    epoch: int = Field(ge=0, description="Epochs that have ended.")
    step: int = Field(ge=0, description="Steps of the next epoch that are done; all of them where it validates.")
    history: tuple[EpochRecord, ...] = Field(description="Of the epochs that have ended.")
    seconds: float = Field(ge=0, description="Learning time so far, in seconds.")
    epoch_seconds: float = Field(ge=0, description="Of these, spent in the next epoch.")
    epoch_waiting: float = Field(ge=0, description="Of these, spent waiting for data.")
    patience: Patience | None = Field(description="None without early stopping.")


class _Header(Frozen):
    key: str
    progress: Progress


@dataclass(frozen=True)
class Checkpoint:
    """A training between two steps.

    Attributes:
        progress: How far it has come.
        arrays: Every number that decides how it goes on, by a name that says what it is of.
    """

    progress: Progress
    arrays: Arrays


class Moment(NamedTuple):
    """A training between two steps, while it is there.

    Attributes:
        epoch: Epochs that have ended.
        step: Steps of the next one that are done.
        copy: Copies the training.
    """

    epoch: int
    step: int
    copy: Callable[[], Checkpoint]


class _Name(NamedTuple):
    epoch: int
    step: int
    object: str
    sha256: str


class Checkpoints:
    """The checkpoints of one experiment.

    Args:
        store: Where they are.
        key: The experiment.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key

    def restore(self, become: Callable[[Checkpoint], T], warn: Callable[[str], None]) -> T | None:
        """What `become` makes of the checkpoint that has come furthest, of those that are whole and that it takes.

        One that is passed over is removed: kept as the newest, it would be in the way of those that are written next.

        Args:
            become: Takes a checkpoint, or raises CorruptObjectError.
            warn: Called with why one is passed over.
        """
        for name in reversed(self._names()):
            try:
                return become(self._read(name))
            except ObjectNotFoundError:
                continue
            except CorruptObjectError as error:
                warn(f"a checkpoint is passed over: {error.problem}")
                self._store.delete(name.object)
        return None

    def furthest(self) -> tuple[int, int] | None:
        """Epochs that have ended, and steps of the next, of the checkpoint that has come furthest; None without one."""
        names = self._names()
        return (names[-1].epoch, names[-1].step) if names else None

    def write(self, checkpoint: Checkpoint) -> None:
        """Add one."""
        header = _Header(key=self._key, progress=checkpoint.progress).model_dump_json().encode()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{_HEADER: np.frombuffer(header, np.uint8)}, **checkpoint.arrays)
        data = buffer.getvalue()
        progress = checkpoint.progress
        name = f"{progress.epoch:05}-{progress.step:07}-{hashlib.sha256(data).hexdigest()}.npz"
        self._store.write(artifacts.checkpoint(self._key, name), data)

    def prune(self) -> None:
        """Remove those that are no longer kept."""
        for old in self._names()[:-KEPT]:
            self._store.delete(old.object)

    def clear(self) -> None:
        """Remove all: the experiment has its result."""
        for name in self._names():
            self._store.delete(name.object)

    def _names(self) -> list[_Name]:
        """From the one that has come least far to the one that has come furthest."""
        names = self._store.list(artifacts.checkpoint(self._key, ""))
        matches = ((name, _NAME.fullmatch(name.rpartition("/")[2])) for name in names)
        return sorted(
            _Name(int(match["epoch"]), int(match["step"]), name, match["sha256"]) for name, match in matches if match
        )

    def _read(self, name: _Name) -> Checkpoint:
        data = self._store.read(name.object)
        if hashlib.sha256(data).hexdigest() != name.sha256:
            raise _corrupt(name, "its bytes are not those that its name stands for")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                values = {key: arrays[key] for key in arrays.files}
            header = _Header.model_validate_json(values.pop(_HEADER).tobytes())
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, ValidationError) as error:
            raise _corrupt(name, "it is not one that this project wrote") from error
        if header.key != self._key:
            raise _corrupt(name, f"it is of the experiment {header.key}")
        return Checkpoint(header.progress, values)


def _corrupt(name: _Name, why: str) -> CorruptObjectError:
    return CorruptObjectError(f"{name.object}: {why}", remedy="nothing needs to be done: training starts further back")
