"""One transfer of s3transfer's: what it is told beforehand, what it reports, and how it is waited for."""

from threading import Lock
from typing import Any

from s3transfer.futures import TransferFuture
from s3transfer.subscribers import BaseSubscriber

from bloodcell.store.base import Progress


class Watcher(BaseSubscriber):
    """Reports a transfer's progress; s3transfer calls it from its threads.

    Args:
        name: The object.
        progress: Told of the bytes done; None for nobody.
        size: Bytes in all, where they are known beforehand.
        etag: The version to read, so that its parts are all of one.
    """

    def __init__(
        self, name: str, progress: Progress | None, *, size: int | None = None, etag: str | None = None
    ) -> None:
        self._name = name
        self._progress = progress
        self._size = size
        self._etag = etag
        self._done = 0
        self._reporting = Lock()

    def on_queued(self, future: TransferFuture, **_: Any) -> None:
        """Give the transfer what is known already."""
        if self._size is not None:
            future.meta.provide_transfer_size(self._size)
            future.meta.provide_object_etag(self._etag)

    def on_progress(self, future: TransferFuture, bytes_transferred: int, **_: Any) -> None:
        """Add what a part has moved; less than nothing where it starts again."""
        with self._reporting:
            self._done += bytes_transferred
            if self._progress:
                self._progress(self._name, self._done, future.meta.size)


def finish(transfer: TransferFuture) -> None:
    """Wait for a transfer; whatever interrupts the wait, a signal's exception too, ends the transfer."""
    try:
        transfer.result()
    except BaseException:
        transfer.cancel()
        raise
