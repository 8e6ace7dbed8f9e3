"""Child processes that a fork server starts: `bloodcell.fork_server`, seen from the process that asks."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self, TextIO

from bloodcell.errors import StoppedError
from bloodcell.fork_server import LARGEST_REQUEST, SINGLE_THREADED, request, settable

_POLL_SECONDS = 0.1


class ForkServer:
    """A fork server, which lives as long as this object, and the processes that it forked no longer than it.

    Args:
        environment: Of what it is to start. The variables whose names begin with `BLOODCELL_` may be others each time.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._fixed = _fixed(environment)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bloodcell", "fork-server", "--requests", str(theirs.fileno())],
                env=dict(environment) | SINGLE_THREADED,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        weakref.finalize(self, _end, self._requests, self._process)

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Whether it can start what is to have these variables, in the folder that is the working one now."""
        return not self.has_ended and self._fixed == _fixed(environment)

    @property
    def has_ended(self) -> bool:
        """Whether it starts nothing any more."""
        return self._process.poll() is not None

    def wait(self, patience: float) -> None:
        """Wait until it has imported everything, or has ended, so many seconds at most."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        poll.poll(1e3 * patience)

    def start(
        self,
        arguments: list[str],
        environment: Mapping[str, str],
        is_off: Callable[[], bool],
        *,
        patience: float = float("inf"),
    ) -> "ForkedChild | None":
        """Fork a process; None where it could not be, or is not wanted any more.

        Args:
            arguments: Of the command `bloodcell`.
            environment: Its variables.
            is_off: Whether it is not wanted any more; asked while the server has not answered, which it does once it
                has imported everything.
            patience: Seconds after which a server that has not answered is killed.
        """
        try:
            message = request(arguments, settable(dict(environment)))
        except ValueError:  # a path that is no UTF-8
            return None
        if len(message) > LARGEST_REQUEST:
            return None
        channel, theirs = socket.socketpair()
        reader, writer = os.pipe()
        try:
            socket.send_fds(self._requests, [message], [writer, theirs.fileno()])
        except OSError:  # it has ended
            os.close(reader)
            channel.close()
            return None
        finally:
            os.close(writer)
            theirs.close()
        child = ForkedChild(self, channel, reader)
        deadline = time.monotonic() + patience
        try:
            if child.let_begin(lambda: is_off() or time.monotonic() > deadline):
                return child
        except BaseException:
            child.close()
            raise
        child.close()
        if time.monotonic() > deadline:
            self._process.kill()
        return None


def _end(requests: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    requests.close()
    process.kill()
    process.wait()


def _fixed(environment: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """What all children of a server have in common; of Prefect, which sets variables of its own, they know nothing."""
    others = settable(dict(environment))
    fixed = {
        name: value for name, value in environment.items() if name not in others and not name.startswith("PREFECT_")
    }
    return Path.cwd(), fixed


class ForkedChild:
    """A process that a fork server started. It is used as a `subprocess.Popen` is, of which it has what runners need.

    Args:
        server: That server, which is to live as long.
        channel: Where it tells the process's id, and its exit code.
        output: Descriptor of what the process prints.

    Attributes:
        stdout: What it prints.
        returncode: Its exit code, minus the signal's number where one ended it; None while it runs.
    """

    def __init__(self, server: ForkServer, channel: socket.socket, output: int) -> None:
        self._server = server
        self._channel = channel
        self._lock = RLock()  # Ctrl-C's handler may ask in the thread that has it
        self._told = b""
        self._process: int | None = None
        self._handle: int | None = None  # of the process itself: its number may be another's once it has ended
        self._is_alone = False  # as its server was killed
        self.stdout: TextIO = os.fdopen(output, encoding="utf-8", errors="replace")
        self.returncode: int | None = None

    def let_begin(self, is_off: Callable[[], bool]) -> bool:
        """Wait until it was forked, and let it begin; False if it will not be."""
        ended = False
        while self._process is None and self.returncode is None and not ended and not is_off():
            # Where its server is killed before it tells of it, the channel has no end: the process waits at the other.
            ended = self._server.has_ended
            self._listen(_POLL_SECONDS)
        if self._process is None:
            return False
        with suppress(OSError):  # it has been killed
            self._channel.send(b"\n")
        return True

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: It has not, after so many seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(["bloodcell"], timeout or 0.0)
            self._listen(left)
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM, unless it has ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        self._send(signal.SIGKILL)

    def close(self) -> None:
        """Listen no more."""
        self.stdout.close()
        self._channel.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait()
        self.close()

    def _send(self, number: signal.Signals) -> None:
        self._listen(0.0)
        if self.returncode is None and self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def _readable(self, timeout: float | None) -> bool:
        poll = select.poll()  # unlike select, of any number of descriptors
        with suppress(ValueError):  # it was closed, in another thread: the process has ended
            poll.register(self._handle if self._is_alone and self._handle is not None else self._channel, select.POLLIN)
            return bool(poll.poll(None if timeout is None else 1e3 * timeout))
        return False

    def _listen(self, timeout: float | None) -> None:
        """Take what the server tells, in one thread of all that wait."""
        if not self._readable(timeout):
            return
        with self._lock:
            if self.returncode is not None:
                return
            if self._is_alone:
                self.returncode = StoppedError.exit_code
                return
            try:
                news = self._channel.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:  # the process ended before it read that it may begin
                news = b""
            self._told += news
            *numbers, _ = self._told.split(b"\n")
            if numbers and self._process is None:
                self._process = int(numbers[0])
                with suppress(ProcessLookupError):  # it has ended
                    self._handle = os.pidfd_open(self._process)
            if len(numbers) > 1:
                self.returncode = int(numbers[1])
            elif not news:
                # The server was killed. What it forked sees that nobody waits, saves what it trains, and ends.
                self._is_alone = True
                if self._handle is None:
                    self.returncode = StoppedError.exit_code
