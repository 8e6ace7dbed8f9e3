"""A process that has imported what experiments need, and becomes one at a request: Android's zygote.

To import TensorFlow and Keras takes each experiment four seconds of a core. A fork has them already, and has nothing
else in common with another that an experiment uses: no graph and no model, as the server has none, and numpy's global
generator is seeded anew by each. It forks only while it is a single thread, which is all that a fork takes along.
"""

import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

LARGEST_REQUEST = 2**17
"""Bytes of a request; the largest is a model's shape and some paths."""

SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Variables of the server: what numpy and pyarrow are not to start when they are imported."""

_PREFIX = "BLOODCELL_"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a terminal, systemd or `kill` sends to all of a group: who asks decides what becomes of the server."""

_REQUEST = TypeAdapter(tuple[list[str], dict[str, str]])


def request(arguments: list[str], environment: dict[str, str]) -> bytes:
    """What is sent to the server, with two descriptors: the output of the process, and the channel that tells its fate.

    Args:
        arguments: Of the command `bloodcell`.
        environment: Its variables whose names begin with `BLOODCELL_`; all others are the server's.
    """
    return _REQUEST.dump_json((arguments, environment))


def settable(environment: dict[str, str]) -> dict[str, str]:
    """Those of some variables that a request may set: the ones that nothing reads when it is imported."""
    return {name: value for name, value in environment.items() if name.startswith(_PREFIX)}


class Server:
    """Forks a process for each request, and writes to its channel a line with its id, and one with its exit code.

    The process begins once a byte has come over that channel, and ends where its other end is closed instead: so none
    begins of which nobody knows.

    From its making on, signals that ask to stop are not for it: it ends with its socket, so that it can tell of what it
    forked for as long as anybody asks.

    Args:
        requests: A socket that keeps the boundaries of messages; its end is the server's.
    """

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._channels: dict[int, socket.socket] = {}
        self._before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
        self._ended, self._on_end = socket.socketpair()
        for end in (self._ended, self._on_end):
            end.setblocking(False)

    def serve(self) -> list[str]:
        """Say so and serve, until nobody can ask any more, which ends this process; in a fork, return its arguments."""
        signal.signal(signal.SIGCHLD, lambda *_: None)  # else it would wake nobody
        signal.set_wakeup_fd(self._on_end.fileno(), warn_on_full_buffer=False)
        with suppress(OSError):  # nobody asks any more
            self._requests.send(b"\n")
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._ended:
                        self._reap()
                    elif (arguments := self._accept()) is not None:
                        return arguments

    def _accept(self) -> list[str] | None:
        message, descriptors, _, _ = socket.recv_fds(self._requests, LARGEST_REQUEST, 2)
        if not message:
            # At once: who was forked sees that nobody waits any more, saves what it trains, and ends.
            os._exit(0)
        if len(descriptors) < 2:  # there are too many open already
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        arguments, environment = _REQUEST.validate_json(message)
        output, channel = descriptors[0], socket.socket(fileno=descriptors[1])
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none is lost before the child can take it
        process = _fork(channel)
        if process == 0:
            self._become(output, channel, environment)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if process == 0:
            return arguments
        os.close(output)
        if process is None:
            channel.close()
        else:
            self._channels[process] = channel
            _tell(channel, process)
        return None

    def _become(self, output: int, channel: socket.socket, environment: dict[str, str]) -> None:
        """In the fork: let go of what is the server's, and take what the request gave."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for other in (self._requests, self._ended, self._on_end, *self._channels.values()):
            other.close()
        if not _may_begin(channel):
            os._exit(0)
        channel.close()
        for standard in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(output, standard)
        os.close(output)
        for name in settable(dict(os.environ)):
            del os.environ[name]
        os.environ.update(environment)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while self._ended.recv(1024):
                pass
        with suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if not process:
                    return
                if channel := self._channels.pop(process, None):
                    _tell(channel, os.waitstatus_to_exitcode(status))
                    channel.close()


def threads() -> int:
    """Threads of this process, those included that Python knows nothing of."""
    return len(list(Path("/proc/self/task").iterdir()))


def _fork(channel: socket.socket) -> int | None:
    """Fork, unless whoever asked has gone on without, or this process is not fit for it: the channel's end says so."""
    if _is_closed(channel) or threads() > 1:
        return None
    try:
        return os.fork()
    except OSError:  # no memory, or too many processes: that ails this one alone, not those that run
        return None


def _is_closed(channel: socket.socket) -> bool:
    try:
        return not channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def _may_begin(channel: socket.socket) -> bool:
    try:
        return bool(channel.recv(1))
    except ConnectionResetError:  # it was closed before anybody read from it
        return False


def _tell(channel: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody listens any more
        channel.sendall(b"%d\n" % number)
