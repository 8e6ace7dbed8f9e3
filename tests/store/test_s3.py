import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.stub import Stubber

from bloodcell.errors import (
    BloodcellError,
    ConfigError,
    ObjectNotFoundError,
    StorageError,
    StorageFullError,
    StoragePermissionError,
    TransientError,
)
from bloodcell.store import Store, open_store
from bloodcell.store.s3 import S3Store
from bloodcell.store.s3_client import s3_client
from tests.store.aws import set_aws

SECRET = "the-secret-of-this-test"
LASTING = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET}
KEYS = LASTING | {"AWS_SESSION_TOKEN": f"{SECRET}-token"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def everything_said(error: BaseException | None) -> str:
    """The messages of an error and of all that it came from, as a traceback would print them."""
    return f"{error!r} {error} {everything_said(error.__cause__ or error.__context__)}" if error else ""


@pytest.fixture
def scripted(monkeypatch):
    """Serves the replies it is given, one a request; it returns a store there and the list of requests."""
    servers = []

    def serve(*replies: Callable) -> tuple[Store, list[str]]:
        waiting, requests = list(replies), []

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                requests.append(self.command)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                waiting.pop(0)(self)

            do_GET = do_PUT = do_HEAD = answer  # noqa: N815

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        set_aws(monkeypatch, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}", **KEYS)
        return open_store("s3://bucket/prefix"), requests

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(status: int, body: bytes = b"", *, of: int | None = None, **headers: str) -> Callable:
    """A reply that announces `of` bytes, and sends the body."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if of is None else of))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def no_reply(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


CUT_SHORT = reply(200, b"by", of=5)
WHOLE = reply(200, b"bytes")
DESCRIBED = reply(206, b"b", Content_Range="bytes 0-0/5", ETag='"1"')
_MEANWHILE = b"<Error><Code>PreconditionFailed</Code></Error>"
written_meanwhile = pytest.mark.parametrize(
    "refused",
    [
        pytest.param(reply(412, _MEANWHILE), id="whole"),
        pytest.param(reply(412, _MEANWHILE[:20], of=len(_MEANWHILE)), id="cut short"),
        pytest.param(reply(412), id="no body"),
        pytest.param(reply(412, b"<Error/>"), id="no code"),
        pytest.param(reply(412, b"<html></html>"), id="of a gateway"),
    ],
)


def test_a_reply_that_is_cut_short_is_asked_for_again(scripted):
    store, requests = scripted(CUT_SHORT, CUT_SHORT, WHOLE)
    assert store.read("a") == b"bytes"
    assert requests == ["GET"] * 3


def test_replies_that_are_always_cut_short(scripted):
    store, requests = scripted(*[CUT_SHORT] * 3)
    with pytest.raises(TransientError, match=r"cannot use a in s3://bucket/prefix at http://127.* cannot be reached"):
        store.read("a")
    assert requests == ["GET"] * 3


def test_a_download_that_is_cut_short_goes_on(scripted, tmp_path):
    store, requests = scripted(DESCRIBED, CUT_SHORT, WHOLE)
    store.download("a", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"bytes"
    assert requests == ["GET", "GET", "GET"]


@written_meanwhile
def test_an_object_that_changes_while_it_is_downloaded(scripted, tmp_path, refused):
    store, requests = scripted(DESCRIBED, refused)
    with pytest.raises(TransientError, match="written or deleted meanwhile"):
        store.download("a", tmp_path / "out")
    assert requests == ["GET", "GET"]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_lists_in_another_order(client):
    stub = Stubber(client)
    stub.add_response("list_objects_v2", {"Contents": [{"Key": f"p/a/{name}"} for name in ("c", "b/1", "b-1", "b")]})
    with stub:
        assert list(S3Store("bucket", "p", client).list("a/")) == ["a/b", "a/b-1", "a/b/1", "a/c"]


def test_a_server_that_fails_for_a_moment(scripted):
    store, requests = scripted(reply(503), no_reply, WHOLE)
    assert store.read("a") == b"bytes"
    assert requests == ["GET"] * 3


def test_a_server_that_fails_for_long(scripted):
    store, requests = scripted(*[reply(503)] * 4)
    with pytest.raises(TransientError, match="overloaded, or failed") as caught:
        store.exists("a")
    assert caught.value.exit_code == 75
    assert requests == ["GET"] * 4


@written_meanwhile
def test_an_object_that_was_created_though_the_reply_was_lost(scripted, refused):
    ours = reply(
        200, b"b", ETag='"1"', x_amz_meta_sha256="277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"
    )
    store, requests = scripted(no_reply, refused, ours)
    assert store.create("a", b"bytes")
    assert requests == ["PUT", "PUT", "GET"]
    store, _ = scripted(no_reply, refused, reply(200, b"b", ETag='"1"', x_amz_meta_sha256="0" * 64))
    assert not store.create("a", b"bytes")
    store, requests = scripted(refused)
    assert not store.create("a", b"bytes")
    assert requests == ["PUT"]


def test_whether_an_object_exists_takes_one_request(scripted):
    store, requests = scripted(DESCRIBED, reply(404, b"<Error><Code>NoSuchKey</Code></Error>"))
    assert store.exists("a")
    assert not store.exists("b")
    assert requests == ["GET", "GET"]


def test_an_object_without_a_byte_exists(scripted):
    store, requests = scripted(reply(416, b"<Error><Co", of=40), reply(200, ETag='"1"'))
    assert store.exists("a")
    assert requests == ["GET", "HEAD"]


def test_a_store_that_is_down_is_told_within_seconds(monkeypatch):
    port = free_port()
    set_aws(monkeypatch, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", **KEYS)
    started = time.monotonic()
    with pytest.raises(TransientError, match=f"http://127.0.0.1:{port}: the server cannot be reached") as caught:
        open_store("s3://bucket").write("a", b"")
    assert time.monotonic() - started < 15
    assert "check that it runs" in caught.value.remedy


@pytest.mark.parametrize(
    ("code", "status", "expected", "said", "remedy"),
    [
        ("NoSuchKey", 404, ObjectNotFoundError, "s3://bucket/some/prefix holds no a/b", "BLOODCELL_STORE"),
        ("NoSuchBucket", 404, StorageError, "no such bucket", "create the bucket"),
        ("InvalidBucketName", 400, StorageError, "no bucket's name", "s3://<bucket>/<prefix>"),
        ("AccessDenied", 403, StoragePermissionError, "no permission for a/b", "s3:GetObject"),
        ("InvalidAccessKeyId", 403, StoragePermissionError, "not know the access key", "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, StoragePermissionError, "secret key", "AWS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", 400, TransientError, "temporary credentials have expired", "AWS_PROFILE"),
        ("InvalidToken", 400, StoragePermissionError, "token is not valid", "AWS_SESSION_TOKEN"),
        ("PermanentRedirect", 301, StorageError, "another region", "AWS_REGION"),
        ("AuthorizationHeaderMalformed", 400, StorageError, "another region", "AWS_REGION"),
        ("RequestTimeTooSkewed", 403, TransientError, "clock", "NTP"),
        ("QuotaExceeded", 403, StorageFullError, "no space left for a/b", "finished experiments are kept"),
        ("XMinioStorageFull", 507, StorageFullError, "no space left for a/b", "free space"),
        ("EntityTooLarge", 400, StorageFullError, "larger than the server accepts", "limit"),
        ("NotImplemented", 501, StorageError, "does not know this request", "If-None-Match"),
        ("SlowDown", 503, TransientError, "overloaded", "again later"),
        ("RequestTimeout", 400, TransientError, "overloaded", "again later"),
        ("XAmzContentSHA256Mismatch", 400, TransientError, "garbled", "network"),
        ("InternalError", 500, TransientError, "overloaded", "again later"),
        ("OddOverload", 429, TransientError, "overloaded", "again later"),
        ("ConditionalRequestConflict", 409, TransientError, "meanwhile", "run again"),
        ("409", 409, TransientError, "meanwhile", "run again"),
        ("416", 416, TransientError, "meanwhile", "run again"),
        ("OddRefusal", 400, StorageError, "what the server says", "look the code up"),
    ],
)
def test_what_a_server_answers(client, bucket, prefix, code, status, expected, said, remedy):
    store = S3Store(bucket, prefix, client)
    stub = Stubber(client)
    stub.add_client_error("get_object", code, "what the server says", http_status_code=status)
    with stub, pytest.raises(BloodcellError, match=said) as caught:
        store.read("a/b")
    assert type(caught.value) is expected
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.problem
    assert (code in caught.value.problem) is (expected is not ObjectNotFoundError)


@pytest.mark.parametrize(
    ("variables", "expected", "said", "remedy"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, StoragePermissionError, "no credentials", "PROFILE"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, ConfigError, "missing: AWS_SECRET_ACCESS_KEY", "correct them"),
        ({"AWS_PROFILE": "absent"}, ConfigError, "profile .absent. could not be found", "correct them"),
        ({"AWS_PROFILE": ""}, ConfigError, "could not be found", "unset those that are empty"),
        ({"AWS_ENDPOINT_URL": "localhost:8333"}, ConfigError, "Invalid endpoint", "http://<host>:<port>"),
        ({"AWS_REGION": "Not A Region"}, ConfigError, "region_name 'Not A Region'", "correct them"),
        ({"AWS_SECRET_ACCESS_KEY": f"{SECRET}\n"}, ConfigError, "AWS_SECRET_ACCESS_KEY holds white space", "remove"),
        ({"AWS_SESSION_TOKEN": f"{SECRET}\r"}, ConfigError, "AWS_SESSION_TOKEN holds white space", "remove"),
        ({"AWS_ENDPOINT_URL": "http://no-such-host.invalid"}, TransientError, "cannot be reached", "network"),
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, TransientError, "the proxy cannot be reached", "NO_PROXY"),
    ],
)
def test_an_environment_that_cannot_work(monkeypatch, variables, expected, said, remedy):
    endpoint = {"AWS_ENDPOINT_URL": f"http://user:{SECRET}@localhost:{free_port()}"}
    set_aws(monkeypatch, **endpoint | KEYS | variables)
    monkeypatch.setenv("NO_PROXY", "" if "HTTP_PROXY" in variables else "*")
    with pytest.raises(BloodcellError, match=said) as caught:
        open_store("s3://bucket").read("a")
    assert type(caught.value) is expected
    assert remedy in caught.value.remedy
    assert SECRET not in str(caught.value)


def test_a_server_that_does_not_speak_tls(scripted, monkeypatch):
    store, _ = scripted(*[no_reply] * 8)
    endpoint = os.environ["AWS_ENDPOINT_URL"].replace("http:", "https:")
    set_aws(monkeypatch, AWS_ENDPOINT_URL=endpoint, **KEYS)
    with pytest.raises(StorageError, match="certificate is not trusted, or it does not speak TLS") as caught:
        open_store(store.url).read("a")
    assert "AWS_CA_BUNDLE" in caught.value.remedy


def test_no_message_shows_a_secret(scripted):
    for answer in (403, 400, 500):
        body = f"<Error><Code>Odd</Code><Message>no</Message><StringToSign>{SECRET}</StringToSign></Error>".encode()
        store, _ = scripted(*[reply(answer, body)] * 4)
        with pytest.raises(BloodcellError) as caught:
            store.read("a")
        assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://", "s3:///prefix", "s3:bucket", "store", f"s3://key:{SECRET}@bucket/prefix", f"s3://key:{SECRET}",
        f"s3://key:a/{SECRET}@bucket/prefix", f"s3://key:a/{SECRET}/bucket", f"https://key:{SECRET}@host/bucket",
    ],
)  # fmt: skip
def test_a_url_that_names_no_bucket(url):
    with pytest.raises(ConfigError, match="accepted are file://<folder> and s3://<bucket>/<prefix>") as caught:
        open_store(url)
    assert SECRET not in str(caught.value)


def test_a_bucket_whose_name_cannot_be(client):
    with pytest.raises(StorageError, match="no bucket's name"):
        open_store("s3://No Bucket/prefix").write("a", b"")


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a", "s3://bucket/a/b"])
def test_a_store_is_opened_by_the_url_that_it_gives(client, url):
    assert open_store(url).url == open_store(f"{url}/").url == url


def test_threads_share_one_client_and_another_environment_has_its_own(monkeypatch):
    set_aws(monkeypatch, **KEYS)
    with ThreadPoolExecutor(8) as pool:
        (client,) = set(pool.map(lambda _: s3_client(), range(32)))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert s3_client() is not client
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["AWS_ACCESS_KEY_ID"])
    assert s3_client() is client


def test_a_forked_child_has_a_client_of_its_own(monkeypatch):
    set_aws(monkeypatch, **KEYS)
    client = s3_client()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert s3_client() is not client


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "https://bucket.s3.amazonaws.com/prefix/a"),
        ({"AWS_REGION": "eu-central-1"}, "https://bucket.s3.eu-central-1.amazonaws.com/prefix/a"),
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, "https://bucket.s3.eu-central-1.amazonaws.com/prefix/a"),
        ({"AWS_ENDPOINT_URL": "http://minio:9000"}, "http://minio:9000/bucket/prefix/a"),
        ({"AWS_ENDPOINT_URL_S3": "https://x.r2.example.com"}, "https://x.r2.example.com/bucket/prefix/a"),
        ({"AWS_ENDPOINT_URL": "http://10.0.0.1:8333"}, "http://10.0.0.1:8333/bucket/prefix/a"),
    ],
)
def test_where_an_object_is_asked_for(monkeypatch, variables, expected):
    set_aws(monkeypatch, **LASTING, **variables)
    link = urlsplit(open_store("s3://bucket/prefix").link("a", lasting=timedelta(days=30)))
    assert f"{link.scheme}://{link.netloc}{link.path}" == expected
    query = parse_qs(link.query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == [str(7 * 24 * 3600)]
    assert SECRET not in link.query


def test_temporary_credentials_sign_no_link_for_it_would_hold_their_token(monkeypatch):
    set_aws(monkeypatch, **KEYS)
    assert open_store("s3://bucket/prefix").link("a") == "s3://bucket/prefix/a"


@pytest.mark.parametrize("password", [SECRET, f"{SECRET}/@1"])
def test_the_password_of_an_address_is_in_no_link_and_no_message(monkeypatch, password):
    set_aws(monkeypatch, **LASTING, AWS_ENDPOINT_URL=f"http://user:{password}@127.0.0.1:{free_port()}")
    store = open_store("s3://bucket")
    assert store.link("a").startswith("http://127.0.0.1:")
    assert SECRET not in store.link("a")
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        store.read("a")
    assert SECRET not in everything_said(caught.value)


def test_a_profile_may_ask_for_the_bucket_in_the_host_name(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile mine]\ns3 =\n  addressing_style = virtual\n")
    set_aws(
        monkeypatch,
        **LASTING,
        AWS_CONFIG_FILE=str(tmp_path / "config"),
        AWS_PROFILE="mine",
        AWS_ENDPOINT_URL="http://h",
    )
    assert open_store("s3://bucket").link("a").startswith("http://bucket.h/a?")
