"""A proxy on loopback that spoils, on request, what goes to an S3 server and comes from it.

A client takes its address for the server's, and signs it as the host; the proxy passes that header on. The one proxy
that is much used for this, Toxiproxy, is a program of its own in Go and knows connections only: it cannot answer 503,
nor spoil one request among others.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Event, Lock, Thread
from typing import Self

from tests.faults.kinds import Exchange, Fault, nothing

When = Callable[[Exchange], bool]


def always(exchange: Exchange) -> bool:
    return True


@dataclass
class _Rule:
    when: When
    choose: Callable[[], Fault | None]


class FaultProxy:
    """A proxy in front of the server at `upstream`, for as long as the block lasts. It spoils nothing unless told.

    The first rule that has a fault for a request decides.

    Attributes:
        met: The faults met so far, with method and path.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream.removeprefix("http://")
        self._rules: list[_Rule] = []
        self._lock = Lock()
        self._port = 0
        self.met: list[tuple[Fault, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def next(self, *faults: Fault, when: When = always) -> None:
        """Spoil the next requests of a kind, each by one of these faults in turn."""
        waiting = list(faults)
        self._add(when, lambda: waiting.pop(0) if waiting else None)

    def all(self, fault: Fault, *, when: When = always, seconds: float = float("inf")) -> None:
        """Spoil all requests of a kind, for so long."""
        end = time.monotonic() + seconds
        self._add(when, lambda: fault if time.monotonic() < end else None)

    def some(self, rates: Mapping[Fault, float], *, seed: int, when: When = always) -> None:
        """Spoil requests of a kind at random, each fault at its rate: the same draws in turn for the same seed."""
        draws = random.Random(seed)
        kinds, weights = [*rates, None], [*rates.values(), 1 - sum(rates.values())]
        self._add(when, lambda: draws.choices(kinds, weights)[0])

    def clear(self) -> None:
        """Spoil nothing from now on, and forget what was met."""
        with self._lock:
            self._rules, self.met = [], []

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse connections and reset those that are open, as where no server runs."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _add(self, when: When, choose: Callable[[], Fault | None]) -> None:
        with self._lock:
            self._rules.append(_Rule(when, choose))

    def _fault_for(self, exchange: Exchange) -> Fault:
        with self._lock:
            for rule in self._rules:
                if rule.when(exchange) and (fault := rule.choose()):
                    self.met.append((fault, exchange.method, exchange.path))
                    return fault
        return nothing

    def _start(self) -> None:
        self._server = _Server(self._port, self._upstream, self._fault_for)
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _stop(self) -> None:
        self._server.end()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, upstream: str, fault_for: Callable[[Exchange], Fault]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream, self.fault_for = upstream, fault_for
        self.closing = Event()
        self.connections: set[socket] = set()

    def end(self) -> None:
        self.shutdown()
        self.closing.set()
        for connection in list(self.connections):
            with suppress(OSError):  # closed already
                connection.shutdown(SHUT_RDWR)
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def answer(self) -> None:
        exchange = Exchange(self, self.server.upstream, self.server.closing)
        self.server.fault_for(exchange)(exchange)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
