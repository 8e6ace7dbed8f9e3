"""What can go wrong between a client and an S3 server. A fault is called with the exchange that it spoils."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from socket import SO_LINGER, SOL_SOCKET, close
from threading import Event

HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "content-length"}
CHUNK = 16 * 2**10


@dataclass
class Reply:
    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)
    length: str | None = None
    """What Content-Length says: of a reply to HEAD another than the body has."""


class Exchange:
    """One request and its reply.

    Args:
        handler: Has read the request's head.
        upstream: Host and port of the server.
        closing: Set when the proxy stops, so that no stall outlasts it.
    """

    def __init__(self, handler: BaseHTTPRequestHandler, upstream: str, closing: Event) -> None:
        self.method: str = handler.command
        self.path: str = handler.path
        self.headers: Message = handler.headers
        self.size = int(handler.headers.get("Content-Length", 0))
        self._handler = handler
        self._upstream = upstream
        self._closing = closing

    @property
    def fetches_object(self) -> bool:
        """Whether the reply's body is an object's bytes: a listing has a query, a look asks for one byte."""
        return self.method == "GET" and "?" not in self.path and self.headers.get("Range") != "bytes=0-0"

    def read(self, size: int | None = None, *, rate: float | None = None) -> bytes:
        """Bytes of the request's body, so many a second."""
        left, chunks = self.size if size is None else size, []
        while left:
            chunks.append(self._handler.rfile.read(min(CHUNK, left)))
            if not chunks[-1]:
                raise ConnectionError("the client has gone")
            left -= len(chunks[-1])
            self.wait(len(chunks[-1]) / rate if rate else 0)
        return b"".join(chunks)

    def forward(self, body: bytes) -> Reply:
        """What the server replies. The Host header stays, as it is signed."""
        connection = HTTPConnection(self._upstream, timeout=60)
        try:
            connection.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in HOP_BY_HOP]
            return Reply(reply.status, reply.read(), headers, reply.headers.get("Content-Length"))
        finally:
            connection.close()

    def send(self, reply: Reply, *, cut: bool = False, rate: float | None = None) -> None:
        """Send a reply, the first half of its body alone where it is cut, so many bytes a second."""
        self._handler.send_response_only(reply.status)
        for name, value in reply.headers:
            self._handler.send_header(name, value)
        if reply.status != 204:
            length = reply.length if self.method == "HEAD" and reply.length else str(len(reply.body))
            self._handler.send_header("Content-Length", length)
        self._handler.end_headers()
        body = reply.body[: len(reply.body) // 2] if cut else reply.body
        for start in range(0, len(body), CHUNK):
            self._handler.wfile.write(body[start : start + CHUNK])
            self.wait(len(body[start : start + CHUNK]) / rate if rate else 0)

    def wait(self, seconds: float) -> None:
        self._closing.wait(seconds) if seconds else None

    def hang_up(self) -> None:
        """Close the connection in good order."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """Close it with a TCP reset."""
        self.hang_up()
        self._handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        close(self._handler.connection.detach())


Fault = Callable[[Exchange], None]


def nothing(exchange: Exchange) -> None:
    exchange.send(exchange.forward(exchange.read()))


@dataclass(frozen=True)
class Refusal:
    """The proxy answers, and the server is not asked; its clock may be another."""

    status: int
    code: str
    ahead: timedelta = timedelta()

    def __call__(self, exchange: Exchange) -> None:
        exchange.read()
        body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>injected</Message></Error>"
        date = format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)
        body = "" if exchange.method == "HEAD" else body
        exchange.send(Reply(self.status, body.encode(), [("Date", date), ("Content-Type", "application/xml")]))


ERROR = Refusal(500, "InternalError")
SLOW_DOWN = Refusal(503, "SlowDown")
SKEWED = Refusal(403, "RequestTimeTooSkewed", ahead=timedelta(hours=1))
EXPIRED = Refusal(400, "ExpiredToken")
NO_BUCKET = Refusal(404, "NoSuchBucket")


def reset(exchange: Exchange) -> None:
    """Within the request's body, where it has one; the server is not asked."""
    exchange.read(exchange.size // 2)
    exchange.reset()


def lost_reply(exchange: Exchange) -> None:
    """The server does what it is asked; the client never hears of it."""
    exchange.forward(exchange.read())
    exchange.reset()


def reset_in_body(exchange: Exchange) -> None:
    exchange.send(exchange.forward(exchange.read()), cut=True)
    exchange.reset()


def truncated(exchange: Exchange) -> None:
    exchange.send(exchange.forward(exchange.read()), cut=True)
    exchange.hang_up()


def flipped(exchange: Exchange) -> None:
    """One bit of a reply's body is another."""
    reply = exchange.forward(exchange.read())
    middle = len(reply.body) // 2
    if reply.body:
        reply.body = reply.body[:middle] + bytes([reply.body[middle] ^ 1]) + reply.body[middle + 1 :]
    exchange.send(reply)


def flipped_upload(exchange: Exchange) -> None:
    """One bit of a request's body is another."""
    body = bytearray(exchange.read())
    if body:
        body[len(body) // 2] ^= 1
    exchange.send(exchange.forward(bytes(body)))


@dataclass(frozen=True)
class Stall:
    """No byte for so many seconds: from the start, or from the middle of the reply's body."""

    seconds: float
    in_body: bool = False

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.read()
        if self.in_body:
            exchange.send(exchange.forward(body), cut=True)
        exchange.wait(self.seconds)
        exchange.reset()


@dataclass(frozen=True)
class Slow:
    """A link of so many bytes a second, either way."""

    rate: float

    def __call__(self, exchange: Exchange) -> None:
        exchange.send(exchange.forward(exchange.read(rate=self.rate)), rate=self.rate)
