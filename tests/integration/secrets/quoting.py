"""An S3 server that hands out temporary credentials, and quotes them where it refuses: the worst that one could say."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from deployments.local.object_store import ObjectStore

_SIGNED = ("content-type", "content-length", "range", "if-none-match", "x-amz-meta-sha256")


class _Server(ThreadingHTTPServer):
    """What its handlers share."""

    def __init__(self, behind: ObjectStore, marker: bytes, quoted: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.marker, self.quoted = behind, marker, quoted
        self.keys = Credentials(behind.environment["AWS_ACCESS_KEY_ID"], behind.environment["AWS_SECRET_ACCESS_KEY"])
        self.session = URLLib3Session()
        self.refused: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        folder, _, name = self.path.partition("?")[0].rpartition("/")
        if name == "config.json" and self.server.marker in body:
            self.server.refused.add(folder)
        if "x-amz-security-token" not in self.headers:
            self.refuse("without a token")
        elif self.command in ("PUT", "POST") and folder in self.server.refused and name != "config.json":
            self.refuse(f"{self.headers} {self.server.quoted}")
        else:
            self.forward(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    def forward(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() in _SIGNED}
        request = AWSRequest(self.command, f"{self.server.behind.url}{self.path}", headers, body)
        S3SigV4Auth(self.server.keys, "s3", "us-east-1").add_auth(request)
        reply = self.server.session.send(request.prepare())
        kept = {name: value for name, value in reply.headers.items() if name.lower() != "transfer-encoding"}
        self.reply(reply.status_code, {"Content-Length": str(len(reply.content)), **kept}, reply.content)

    def refuse(self, said: str) -> None:
        message = escape(" ".join(said.split()))
        body = f"<Error><Code>OddRefusal</Code><Message>{message}</Message></Error>".encode()
        self.reply(400, {"Content-Length": str(len(body)), "Content-Type": "application/xml"}, body)

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def quoting_server(behind: ObjectStore, marker: bytes, *secrets: str) -> Iterator[str]:
    """Serve what another server has, which has no temporary credentials of its own.

    Args:
        behind: The server that has the objects.
        marker: What the config.json of an experiment holds of which nothing more may be written.
        secrets: Quoted by every refusal, beside the headers of the request.

    Yields:
        The server's address.
    """
    with _Server(behind, marker, " ".join(secrets)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.session.close()
