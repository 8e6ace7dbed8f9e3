import hashlib

import numpy as np
import pytest

from bloodcell import artifacts
from bloodcell.artifacts import EpochRecord
from bloodcell.checkpoints import KEPT, Checkpoint, Checkpoints, Patience, Progress
from bloodcell.errors import CorruptObjectError


def checkpoint(epoch: int, step: int = 0) -> Checkpoint:
    record = EpochRecord(epoch=1, loss=0.1 + 0.2, accuracy=0.5, val_loss=1 / 3, val_accuracy=0.5, seconds=1.0)
    progress = Progress(
        epoch=epoch,
        step=step,
        history=(record,),
        seconds=2.0,
        epoch_seconds=1.0,
        epoch_waiting=0.1,
        patience=Patience(best=1 / 3, best_epoch=0, wait=1, stopped_epoch=0),
    )
    return Checkpoint(progress, {"model/00000": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7)})


def newest(checkpoints: Checkpoints, warn=pytest.fail) -> Checkpoint | None:
    return checkpoints.restore(lambda found: found, warn)


@pytest.fixture
def checkpoints(store) -> Checkpoints:
    return Checkpoints(store, "key")


def test_what_is_written_is_read_to_the_bit(checkpoints):
    written = checkpoint(3, 4)
    checkpoints.write(written)
    read = newest(checkpoints)
    assert read.progress == written.progress
    assert list(read.arrays) == list(written.arrays)
    for name, array in written.arrays.items():
        assert read.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(read.arrays[name], array)


def test_the_one_that_came_furthest_is_the_newest_and_two_are_kept(checkpoints, store):
    for place in [(0, 900_000), (1, 0), (2, 11), (2, 9), (10, 0)]:  # not the order of their names as text
        checkpoints.write(checkpoint(*place))
        checkpoints.prune()
    assert newest(checkpoints).progress.epoch == 10
    assert len(list(store.list("experiments/key/"))) == KEPT == 2


def test_none_is_left_when_the_experiment_is_done(checkpoints, store):
    checkpoints.write(checkpoint(1))
    store.write(artifacts.experiment("key", "config.json"), b"")
    checkpoints.clear()
    assert list(store.list("experiments/key/")) == [artifacts.experiment("key", "config.json")]
    assert newest(checkpoints) is None


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


@pytest.mark.parametrize("damage", [cut, flipped, lambda _: b""])
def test_a_damaged_one_is_passed_over_for_the_one_before(checkpoints, store, damage):
    checkpoints.write(checkpoint(1))
    checkpoints.write(checkpoint(2))
    last = sorted(store.list("experiments/key/"))[-1]
    store.write(last, damage(store.read(last)))
    said = []
    assert newest(checkpoints, said.append).progress.epoch == 1
    assert len(said) == 1
    assert "its bytes are not those that its name stands for" in said[0]


def test_one_of_another_experiment_is_passed_over(checkpoints, store):
    Checkpoints(store, "other").write(checkpoint(1))
    (name,) = store.list("experiments/other/")
    store.write(name.replace("other", "key"), store.read(name))
    said = []
    assert newest(checkpoints, said.append) is None
    assert "it is of the experiment other" in said[0]


@pytest.mark.parametrize("array", [np.array([object()]), np.array([1])])
def test_a_file_that_somebody_else_wrote_is_passed_over_and_nothing_in_it_is_run(checkpoints, store, array, tmp_path):
    np.savez(tmp_path / "file.npz", header=array)
    data = (tmp_path / "file.npz").read_bytes()
    store.write(artifacts.checkpoint("key", f"00001-0000000-{hashlib.sha256(data).hexdigest()}.npz"), data)
    said = []
    assert newest(checkpoints, said.append) is None
    assert "it is not one that this project wrote" in said[0]


def test_what_is_passed_over_is_not_in_the_way_of_those_written_next(checkpoints, store):
    for epoch in (8, 9):
        checkpoints.write(checkpoint(epoch))

    def refuse(found: Checkpoint) -> None:
        raise CorruptObjectError("it is of another model", remedy="none")

    said = []
    assert checkpoints.restore(refuse, said.append) is None
    assert len(said) == 2
    checkpoints.write(checkpoint(1))
    checkpoints.prune()
    assert newest(checkpoints).progress.epoch == 1


def test_the_one_before_is_taken_where_the_newest_is_refused(checkpoints):
    for epoch in (1, 2):
        checkpoints.write(checkpoint(epoch))

    def take(found: Checkpoint) -> int:
        if found.progress.epoch == 2:
            raise CorruptObjectError("no", remedy="none")
        return found.progress.epoch

    assert checkpoints.restore(take, lambda _: None) == 1
