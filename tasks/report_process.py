"""The process in which a grid's splits are audited and its report is made.

pandas, scipy and what draws take a second to import, and drawing takes many seconds; so they have a process of their
own, beside the one that imports Prefect and runs the flow. The pools of multiprocessing are not used for it: they
import the main module, which in a worker's run is Prefect, and stay behind where this process is killed.
"""

import logging
import os
import pickle
import subprocess
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NoReturn, TypeVar, cast

from bloodcell.errors import StoppedError
from tasks import reporting

T = TypeVar("T")


class ReportProcess:
    """A process that calls functions, one at a time. It ends with this object, and with this process.

    It is in a process group of its own: a terminal's Ctrl-C, or make's, does not reach it, and whoever waits for it
    decides what becomes of it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_closed = False
        self._channel, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasks.report_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self._end = weakref.finalize(self, _end, self._process)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function there, wait, and return what it returns or raise what it raises.

        Where the process is killed, as for want of memory, the function is called here: it has to bear that.

        Args:
            function: Of a module, by which it is found there.
            *args: Its arguments, which can be pickled, as what it returns can.

        Raises:
            StoppedError: `close` has ended the process.
        """
        with self._lock:
            try:
                self._channel.send((function, args))
                answer = self._channel.recv()
            except (EOFError, OSError):
                answer = None
            except BaseException:  # a signal: the answer that is yet to come would be taken for that to another request
                self.close()
                raise
        if answer is not None:
            returned, raised = answer
            if raised is not None:
                raise raised
            return cast("T", returned)
        if self._is_closed:
            raise StoppedError("the report was stopped on request", remedy="run the grid again: it goes on from here")
        logging.getLogger(__name__).warning(
            "the process that makes the report has ended (%s); it is made here", self._process.wait()
        )
        return function(*args)

    def close(self) -> None:
        """End the process, whatever it does: who waits for it in another thread gets a StoppedError."""
        self._is_closed = True
        self._end()


_ahead: list[ReportProcess] = []
"""Started before it is asked for."""


def start_ahead() -> ReportProcess:
    """Start the process that the next `report_process` of this process gives: it has imports to do until then."""
    _ahead.append(ReportProcess())
    return _ahead[-1]


@contextmanager
def report_process() -> Iterator[ReportProcess]:
    """A process that ends with the block."""
    process = _ahead.pop() if _ahead else ReportProcess()
    try:
        yield process
    finally:
        process.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _serve(requests: Connection) -> NoReturn:
    """Do what is requested until nobody can request any more, which ends this process whatever it does."""
    received: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> None:
        with suppress(EOFError, OSError):
            while True:
                received.put(requests.recv_bytes())
        os._exit(0)

    Thread(target=receive, daemon=True).start()
    reporting.warm_up()
    while True:
        answer = _answer(received.get())
        with suppress(OSError):  # nobody waits for it any more
            requests.send_bytes(answer)


def _answer(request: bytes) -> bytes:
    """Pickled, what the requested function returned, and what it raised; of the two, one is None."""
    try:
        function, args = pickle.loads(request)  # noqa: S301 - from the process that started this one
        return pickle.dumps((function(*args), None))
    except Exception as error:  # noqa: BLE001 - raised again where it was asked for
        told = "".join(traceback.format_exception(error))
        error.add_note(told)
        try:
            pickle.loads(answer := pickle.dumps((None, error)))  # noqa: S301
        except Exception:  # noqa: BLE001 - not every class of error can be pickled
            return pickle.dumps((None, RuntimeError(told)))
        return answer


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
