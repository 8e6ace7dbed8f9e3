"""Save a training while it runs, and when it is asked to stop."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from bloodcell.checkpoints import Checkpoint, Checkpoints, Moment
from bloodcell.errors import BloodcellError, StoppedError
from bloodcell.events import WARNING, NowAndThen
from bloodcell.interruption import Interruption
from bloodcell.lease import Lease


class Checkpointing:
    """Writes checkpoints beside the training, one at a time.

    An epoch that ends while one is still being written leaves none of its own: the training does not wait. Nor does it
    fail where none can be written; the next one may be.

    Args:
        checkpoints: Where they go.
        every: Seconds after which a step is followed by one, however long its epoch takes.
        interruption: Whether to stop.
        lease: That this process alone trains the experiment.
        say: Told of what takes a while and of what went wrong.
        on_progress: Called now and then with the number of the epoch, from 1, and of its step.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        *,
        every: float,
        interruption: Interruption,
        lease: Lease,
        say: Callable[[str], None],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self._checkpoints = checkpoints
        self._every = every
        self._interruption = interruption
        self._lease = lease
        self._say = say
        self._on_progress = on_progress
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[bool] | None = None
        self._saved = time.monotonic()
        self._alive = NowAndThen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def on_epoch(self, moment: Moment) -> None:
        """Save at the end of an epoch."""
        self._save(moment)

    def on_step(self, moment: Moment) -> None:
        """After a step: end the training where that is asked for, save it where that is due.

        Raises:
            StoppedError: It was asked to stop, and is saved.
            TransientError: Another process has taken the experiment over.
        """
        self._lease.check()
        if self._interruption.requested:
            self._save_and_stop(moment)
        now = time.monotonic()
        if now - self._saved > self._every:
            self._save(moment)
        if self._alive.is_due():
            self._on_progress(moment.epoch + 1, moment.step)

    def _save(self, moment: Moment) -> None:
        if self._writing is None or self._writing.done():
            self._saved = time.monotonic()
            try:
                checkpoint = moment.copy()
            except MemoryError:  # the training has enough, and is not to fail for want of a copy
                self._say(f"{WARNING}no checkpoint could be saved: there is no memory for a copy")
                return
            self._writing = self._pool.submit(self._write, checkpoint)

    def _save_and_stop(self, moment: Moment) -> None:
        where = f"the training was stopped in epoch {moment.epoch + 1}, after step {moment.step} of it"
        # After the one that is being written.
        saved = self._pool.submit(self._write, moment.copy()).result()
        remedy = "run again; it goes on from there" if saved else "run again; it goes on from its last checkpoint"
        raise StoppedError(where if saved else f"{where}, and could not be saved", remedy=remedy)

    def _write(self, checkpoint: Checkpoint) -> bool:
        """Write a checkpoint; whether it is in the store."""
        try:
            self._checkpoints.write(checkpoint)
        except Exception as error:  # noqa: BLE001 - whatever it is, the training goes on, and the next may be written
            self._say(f"{WARNING}no checkpoint could be saved: {_reason(error)}")
            return False
        try:
            self._checkpoints.prune()
        except Exception as error:  # noqa: BLE001 - the older ones take space, and do no harm
            self._say(f"{WARNING}older checkpoints could not be removed: {_reason(error)}")
        return True


def _reason(error: Exception) -> str:
    return error.problem if isinstance(error, BloodcellError) else repr(error)
