"""That one process at a time trains an experiment, kept by the store alone.

A lease is an object that its holder writes anew, with another number of renewals, while it lives. Who finds one that
does not change for as long as a lease lasts, by its own clock, takes over: clocks of different machines are never
compared. Of several who take over at once one succeeds, as they all have to create the object with the next number.
A holder that meets that object stops. What two could spoil together, should a holder have been silent for so long and
yet live, is safe all the same: a result is created once, and never written over.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple
from uuid import uuid4

import psutil
from pydantic import Field, ValidationError

from bloodcell import artifacts
from bloodcell.errors import BloodcellError, DataError, TransientError
from bloodcell.store import Store
from bloodcell.values import Frozen

_RENEWALS = 4
"""Renewals while a lease lasts: as many may fail but one."""

_LOOK_SECONDS = 2.0


class Holder(Frozen):
    """Who holds a lease: the object experiments/<key>/leases/<number>.json."""

    id: str
    host: str = Field(description="Name of its machine, for people.")
    processes: str = Field(description="What tells its process ids from those of another machine, boot or container.")
    process: int = Field(description="Its process id.")
    started: float = Field(description="When that process started, as its machine has it.")
    renewals: int = 0

    @classmethod
    def this_process(cls) -> "Holder":
        """A new holder."""
        return cls(
            id=uuid4().hex,
            host=socket.gethostname(),
            processes=_processes(),
            process=os.getpid(),
            started=psutil.Process().create_time(),
        )

    @property
    def has_ended(self) -> bool:
        """Whether its process is known to have ended; of another machine or container nothing is known."""
        if not self.processes or self.processes != _processes():
            return False
        try:
            return psutil.Process(self.process).create_time() != self.started
        except psutil.NoSuchProcess:
            return True


def _processes() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return ""


class _Found(NamedTuple):
    number: int
    content: bytes

    @property
    def holder(self) -> Holder | None:
        """None where another version of this project wrote it: it runs out."""
        try:
            return Holder.model_validate_json(self.content)
        except ValidationError:
            return None


class Lease:
    """What says in the store that somebody trains an experiment; once it is taken, a thread renews it.

    Args:
        store: Where the experiment is.
        key: The experiment.
        seconds: How long it lasts without a renewal.

    Attributes:
        is_lost: Whether another process took over.
    """

    def __init__(self, store: Store, key: str, seconds: float) -> None:
        self._store = store
        self._key = key
        self._seconds = seconds
        self._holder = Holder.this_process()
        self._number = 0
        self.is_lost = False
        self._ended = Event()
        self._thread = Thread(target=self._renew, name="lease", daemon=True)

    def take(self, is_done: Callable[[], bool], say: Callable[[str], None]) -> bool:
        """Take it, after whoever has it now.

        Args:
            is_done: Whether nothing is left to be done.
            say: Told whom it waits for.

        Returns:
            Whether it was taken: not where there is nothing left to do.
        """
        seen, since, told = b"", time.monotonic(), -self._seconds
        while not is_done():
            now, found = time.monotonic(), self._newest()
            holder = found.holder if found else None
            silent = found is not None and found.content == seen and now - since > self._seconds
            if found is None or silent or (holder and holder.has_ended):
                if self._create(found.number + 1 if found else 1):
                    return True
                continue
            if found.content != seen:
                seen, since = found.content, now
            if now - told >= self._seconds:
                whose = f", {holder.process} on {holder.host}," if holder else ""
                say(f"another process{whose} trains this experiment: waiting for it")
                told = now
            time.sleep(min(_LOOK_SECONDS, self._seconds / _RENEWALS))
        return False

    def check(self) -> None:
        """See that it is still held.

        Raises:
            TransientError: Another process took over.
        """
        if self.is_lost:
            raise TransientError(
                f"experiment {self._key} was taken over by another process, as this one was silent for too long",
                remedy="run again; the other's result is used",
            )

    def release(self) -> None:
        """Give it back."""
        self._ended.set()
        self._thread.join()
        with suppress(BloodcellError):  # it runs out
            for number in self._numbers():
                if number <= self._number:
                    self._store.delete(self._name(number))

    def _create(self, number: int) -> bool:
        if not artifacts.create_model(self._store, self._name(number), self._holder):
            return False
        self._number = number
        self._thread.start()
        return True

    def _renew(self) -> None:
        renewals = 0
        while not self._ended.wait(self._seconds / _RENEWALS):
            renewals += 1
            with suppress(BloodcellError):  # the next may succeed
                if any(number > self._number for number in self._numbers()):
                    self.is_lost = True
                    return
                holder = self._holder.model_copy(update={"renewals": renewals})
                artifacts.write_model(self._store, self._name(self._number), holder)

    def _newest(self) -> _Found | None:
        for number in reversed(self._numbers()):
            with suppress(DataError):  # given back meanwhile
                return _Found(number, self._store.read(self._name(number)))
        return None

    def _numbers(self) -> list[int]:
        names = self._store.list(artifacts.lease(self._key, ""))
        stems = (name.rpartition("/")[2].removesuffix(".json") for name in names)
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _name(self, number: int) -> str:
        return artifacts.lease(self._key, f"{number:06}.json")


@contextmanager
def leased(
    store: Store, key: str, *, seconds: float, is_done: Callable[[], bool], say: Callable[[str], None]
) -> Iterator[Lease | None]:
    """Hold the lease of an experiment in this block, after whoever holds it now.

    Args:
        store: Where the experiment is.
        key: The experiment.
        seconds: How long a lease lasts whose holder has fallen silent.
        is_done: Whether nothing is left to be done.
        say: Told whom it waits for.

    Yields:
        The lease; None where there is nothing left to do.
    """
    lease = Lease(store, key, seconds)
    if not lease.take(is_done, say):
        yield None
        return
    try:
        yield lease
    finally:
        lease.release()
