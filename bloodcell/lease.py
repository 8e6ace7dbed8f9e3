"""That one process at a time trains an experiment, kept by the store alone.

A lease is an object that its holder writes anew, with another number of renewals, while it lives. Who finds one that
does not change for as long as a lease lasts, by its own clock, takes over: clocks of different machines are never
compared. Of several who take over at once one succeeds, as they all have to create the object with the next number,
and no number is used twice before the experiment has its result. A holder that meets another's lease stops.

A holder that was silent for so long and yet lives may go on for as long as it does not look. What it computes does no
harm: a result is created once, and it looks before each artifact.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from threading import Event, Lock, Thread
from typing import NamedTuple

from pydantic import ValidationError

from bloodcell import artifacts
from bloodcell.errors import BloodcellError, CorruptObjectError, ObjectNotFoundError, TransientError
from bloodcell.events import SIGN_OF_LIFE_SECONDS
from bloodcell.holder import Holder
from bloodcell.interruption import Interruption
from bloodcell.store import Store

_RENEWALS = 4
"""Renewals while a lease lasts: as many may fail but one."""

_LOOK_SECONDS = 2.0


class _Found(NamedTuple):
    """The newest lease.

    Attributes:
        number: Its number.
        content: Its bytes; None where they are damaged.
    """

    number: int
    content: bytes | None

    @property
    def holder(self) -> Holder | None:
        """None where it is damaged, or another version of this project wrote it: it runs out."""
        try:
            return Holder.model_validate_json(self.content or b"")
        except ValidationError:
            return None


class Lease:
    """What says in the store that somebody trains an experiment; once it is taken, a thread renews it.

    Args:
        store: Where the experiment is.
        key: The experiment.
        seconds: How long it lasts without a renewal.
        interruption: Of this process, which is ended where nobody waits for it and it does not end by itself.

    Attributes:
        is_lost: Whether another process took over.
    """

    def __init__(self, store: Store, key: str, seconds: float, interruption: Interruption) -> None:
        self._store = store
        self._key = key
        self._seconds = seconds
        self._interruption = interruption
        self._holder = Holder.this_process()
        self._number = 0
        self.is_lost = False
        self._ended = Event()
        self._renewing = Lock()
        self._thread = Thread(target=self._renew, name="lease", daemon=True)

    def take(self, is_done: Callable[[], bool], say: Callable[[str], None]) -> bool:
        """Take it, after whoever has it now.

        Args:
            is_done: Whether nothing is left to be done.
            say: Told whom it waits for.

        Returns:
            Whether it was taken: not where there is nothing left to do.
        """
        seen: bytes | None = b""
        since = looked = time.monotonic()
        told = since - SIGN_OF_LIFE_SECONDS
        pause = min(_LOOK_SECONDS, self._seconds / _RENEWALS)
        while not is_done():
            found, now = _newest(self._store, self._key), time.monotonic()
            # What passes while the store does not answer, or this process is stopped, is no silence of the holder's.
            if found is None or found.content != seen or now - looked > 2 * pause:
                seen, since = found.content if found else b"", now
            looked = now
            holder = found.holder if found else None
            if found is None or (holder and holder.is_free) or now - since > self._seconds:
                if self._create(found.number + 1 if found else 1):
                    if not is_done():  # who held it may have ended since the last look
                        return True
                    self.clear()
                    return False
            elif now - told >= SIGN_OF_LIFE_SECONDS:
                left = since + self._seconds - now
                say(
                    f"another process, {holder.process} on {holder.host}, trains this experiment: waiting for it"
                    if holder
                    else f"the lease of this experiment cannot be read: waiting until it runs out, {left:.0f} s at most"
                )
                told = now
            time.sleep(pause)
        return False

    def check(self) -> None:
        """See that it is still held, as far as the last renewal knows.

        Raises:
            TransientError: Another process took over.
        """
        if self.is_lost:
            raise TransientError(
                f"experiment {self._key} was taken over by another process, as this one was silent for too long",
                remedy="run again; the other's result is used",
            )

    def verify(self) -> None:
        """See in the store that it is still held.

        Raises:
            TransientError: Another process took over.
        """
        self.is_lost = self.is_lost or not self._is_own(_newest(self._store, self._key))
        self.check()

    def quiet(self) -> AbstractContextManager[object]:
        """For a block of seconds in which the thread asks nothing of the store, and so draws no random number."""
        return self._renewing

    def release(self) -> None:
        """Give it back, for another attempt."""
        self._stop()
        if self.is_lost:
            return
        with suppress(BloodcellError):  # it runs out
            if self._is_own(_newest(self._store, self._key)):
                self._write(given_back=True)
                self._delete(below=self._number)

    def clear(self) -> None:
        """Give it back for good: the experiment has its result."""
        self._stop()
        with suppress(BloodcellError):  # it runs out
            self._delete(below=None)

    def _create(self, number: int) -> bool:
        if not artifacts.create_model(self._store, _name(self._key, number), self._holder):
            return False
        self._number = number
        self._thread.start()
        return True

    def _stop(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _renew(self) -> None:
        renewals = 0
        while not self._ended.wait(self._seconds / _RENEWALS):
            if self._interruption.orphaned_for > self._seconds:
                self._interruption.end()  # it hangs, or has still long to go for nobody
            renewals += 1
            with self._renewing, suppress(Exception):  # the next may succeed
                if not self._is_own(_newest(self._store, self._key)):
                    self.is_lost = True
                    return
                self._write(renewals=renewals)

    def _write(self, **changes: object) -> None:
        artifacts.write_model(self._store, _name(self._key, self._number), self._holder.model_copy(update=changes))

    def _is_own(self, found: _Found | None) -> bool:
        if found is None or found.number != self._number:
            return False
        holder = found.holder
        return holder is None or holder.id == self._holder.id  # one that is damaged is written anew

    def _delete(self, *, below: int | None) -> None:
        for number in _numbers(self._store, self._key):
            if below is None or number < below:
                self._store.delete(_name(self._key, number))


@contextmanager
def leased(
    store: Store,
    key: str,
    *,
    seconds: float,
    interruption: Interruption,
    is_done: Callable[[], bool],
    say: Callable[[str], None],
) -> Iterator[Lease | None]:
    """Hold the lease of an experiment in this block, after whoever holds it now.

    Args:
        store: Where the experiment is.
        key: The experiment.
        seconds: How long a lease lasts whose holder has fallen silent.
        interruption: Of this process.
        is_done: Whether nothing is left to be done.
        say: Told whom it waits for.

    Yields:
        The lease; None where there is nothing left to do.
    """
    lease = Lease(store, key, seconds, interruption)
    if not lease.take(is_done, say):
        yield None
        return
    try:
        yield lease
    finally:
        lease.release()


def held_by(store: Store, key: str) -> Holder | None:
    """Who trains an experiment; None where nobody does, as far as one look tells: another machine's may have ended."""
    found = _newest(store, key)
    return found.holder if found and found.holder and not found.holder.is_free else None


def _newest(store: Store, key: str) -> _Found | None:
    for number in reversed(_numbers(store, key)):
        try:
            return _Found(number, store.read(_name(key, number)))
        except ObjectNotFoundError:  # deleted meanwhile
            continue
        except CorruptObjectError:
            return _Found(number, None)
    return None


def _numbers(store: Store, key: str) -> list[int]:
    names = store.list(artifacts.lease(key, ""))
    stems = (name.rpartition("/")[2].removesuffix(".json") for name in names)
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _name(key: str, number: int) -> str:
    return artifacts.lease(key, f"{number:06}.json")
