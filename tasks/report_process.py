"""The process in which a grid's splits are audited and its report is made.

pandas, scipy and what draws take a second to import, and drawing takes many seconds; so they have a process of their
own, beside the one that imports Prefect and runs the flow. The pools of multiprocessing are not used for it: they
import the main module, which in a worker's run is Prefect, and stay behind where this process is killed.
"""

import logging
import os
import pickle
import signal
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


class EndedError(Exception):
    """The process has ended, and nobody asked for it."""


class ReportProcess:
    """A process that calls functions, one at a time. It ends with this object, and with the process that made it.

    It is in a session of its own: it has no terminal whose Ctrl-C would reach it, or that would stop it for writing.
    Where it cannot be started, it is as one that was killed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_closed = False
        self._end: Callable[[], object] = lambda: None
        self._channel, theirs = Pipe()
        with theirs:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tasks.report_process", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
            except OSError as error:  # too many processes, or no memory
                _warn(f"cannot be started: {error}")
                return
        self._end = weakref.finalize(self, _end, process)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function there, wait, and return what it returns or raise what it raises.

        Where the process is killed, as for want of memory, the function is called here: it has to bear that.

        Args:
            function: Of a module, by which it is found there.
            *args: Its arguments, which can be pickled, as what it returns can.

        Raises:
            StoppedError: `close` has ended the process.
        """
        try:
            return self.call_there(function, *args)
        except EndedError:
            _warn("has ended: what it was asked for is done here")
            return function(*args)

    def call_there(self, function: Callable[..., T], *args: Any) -> T:
        """Do what `call` does, or raise an EndedError where the process is killed: for what can be left undone."""
        request = pickle.dumps((function, args))
        with self._lock:
            try:
                self._channel.send_bytes(request)
                answer = self._channel.recv_bytes()
            except (EOFError, OSError):
                if self._is_closed:
                    raise StoppedError(
                        "the report was stopped on request", remedy="run the grid again: it goes on from here"
                    ) from None
                raise EndedError("the process that makes the report has ended") from None
            except BaseException:  # a signal: the answer that is yet to come would be taken for that to another request
                self.close()
                raise
        returned, raised = pickle.loads(answer)  # noqa: S301 - from the process that was started here
        if raised is not None:
            raise raised
        return cast("T", returned)

    def close(self) -> None:
        """End the process, whatever it does: who waits for it in another thread gets a StoppedError."""
        self._is_closed = True
        self._end()


_ahead: list[ReportProcess] = []
"""Started before it is asked for."""


def start_ahead() -> ReportProcess:
    """Start the process that the next `started` of this process gives: it has imports to do until then."""
    _ahead.append(ReportProcess())
    return _ahead[-1]


@contextmanager
def started() -> Iterator[ReportProcess]:
    """A process that ends with the block."""
    process = _ahead.pop() if _ahead else ReportProcess()
    try:
        yield process
    finally:
        process.close()


def _warn(what: str) -> None:
    logging.getLogger(__name__).warning("the process that makes the report %s", what)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _serve(requests: Connection) -> NoReturn:
    """Do what is requested until nobody can request any more, which ends this process whatever it does.

    Signals that ask to stop are not for it, whoever sends them to all of a service or a session: its end would have the
    one who waits for it, and is asked to stop too, make the report.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    received: SimpleQueue[bytes] = SimpleQueue()

    def receive() -> None:
        try:
            while True:
                received.put(requests.recv_bytes())
        finally:  # at the end of the socket, and whatever else there is: nothing would be received any more
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
