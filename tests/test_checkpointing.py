"""When a training is saved, and what happens where it cannot be."""

from threading import Event
from types import SimpleNamespace

import pytest

from bloodcell.checkpointing import Checkpointing
from bloodcell.checkpoints import Checkpoints, Moment
from bloodcell.errors import StoppedError, StorageError
from tests.test_checkpoints import checkpoint, newest


class Slow(Checkpoints):
    """Writes when it is let."""

    def __init__(self, store) -> None:
        super().__init__(store, "key")
        self.may_write = Event()
        self.may_write.set()
        self.error: Exception | None = None

    def write(self, written) -> None:
        assert self.may_write.wait(20)
        if self.error:
            raise self.error
        super().write(written)


@pytest.fixture
def slow(store) -> Slow:
    return Slow(store)


@pytest.fixture
def made(slow):
    """What is under test, its listener, and the interruption, of which nothing is asked yet."""
    said: list[str] = []
    interruption = SimpleNamespace(requested=False)
    lease = SimpleNamespace(check=lambda: None)
    saving = Checkpointing(
        slow, every=1000, interruption=interruption, lease=lease, say=said.append, on_progress=lambda *_: None
    )
    return saving, said, interruption


def moment(epoch: int, step: int = 0) -> Moment:
    return Moment(epoch, step, lambda: checkpoint(epoch, step))


def test_each_epoch_is_saved(made, slow):
    saving, said, _ = made
    with saving:
        saving.on_epoch(moment(1))
    assert newest(slow).progress.epoch == 1
    assert said == []


def test_an_epoch_that_ends_while_one_is_being_written_leaves_none(made, slow):
    saving, _, _ = made
    slow.may_write.clear()
    with saving:
        saving.on_epoch(moment(1))
        saving.on_epoch(moment(2))
        slow.may_write.set()
    assert newest(slow).progress.epoch == 1


def test_a_stop_waits_for_what_is_being_written_and_is_saved_after_it(made, slow):
    saving, _, interruption = made
    slow.may_write.clear()
    saving.on_epoch(moment(1))
    interruption.requested = True
    slow.may_write.set()
    with saving, pytest.raises(StoppedError, match=r"in epoch 2, after step 7 of it\n.*goes on from there"):
        saving.on_step(moment(1, 7))
    assert newest(slow).progress.step == 7


@pytest.mark.parametrize("error", [StorageError("full", remedy="r"), OSError("no space"), MemoryError()])
def test_where_none_can_be_written_the_training_goes_on_and_says_so(made, slow, error):
    saving, said, interruption = made
    slow.error = error
    with saving:
        saving.on_epoch(moment(1))
        saving.on_step(moment(1, 1))
        interruption.requested = True
        with pytest.raises(StoppedError, match="could not be saved"):
            saving.on_step(moment(1, 2))
    assert len(said) == 2
    assert all("no checkpoint could be saved" in sentence for sentence in said)


def test_no_memory_for_a_copy_is_no_end_of_the_training(made):
    saving, said, _ = made

    def copy():
        raise MemoryError

    with saving:
        saving.on_epoch(Moment(1, 0, copy))
    assert "there is no memory for a copy" in said[0]
