"""The contract of a store, held by a bucket on a real server; and what only a real server can show."""

import os
import time
import urllib.error
import urllib.request
from datetime import timedelta

import pytest

from bloodcell.errors import StoragePermissionError
from bloodcell.store import open_store
from bloodcell.store.s3 import S3Store
from bloodcell.store.s3_client import s3_client
from tasks.report_process import started
from tests.store.aws import set_aws
from tests.store.s3_contract import S3StoreContract


class TestS3Store(S3StoreContract):
    @pytest.fixture
    def client(self, s3_store):
        return s3_client()

    @pytest.fixture
    def bucket(self, s3_store):
        return s3_store.url.split("/")[2]

    @pytest.fixture
    def prefix(self, s3_store):
        return s3_store.url.split("/")[3]


def test_another_process_reads_it_with_the_credentials_of_this_one(s3_store):
    s3_store.write("a", b"1")
    with started() as process:
        assert process.call(os.getpid) != os.getpid()
        assert process.call(S3Store.read, s3_store, "a") == b"1"


@pytest.fixture
def as_user(s3_store, s3_server, monkeypatch):
    """Opens the test's store with another pair of keys."""

    def open_as(access: str, secret: str):
        keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        set_aws(monkeypatch, **s3_server.environment | keys)
        return open_store(s3_store.url)

    return open_as


def uses(store, tmp_path) -> dict:
    (tmp_path / "in").write_bytes(b"x" * 9 * 2**20)
    return {
        "exists": lambda: store.exists("a"),
        "read": lambda: store.read("a"),
        "list": lambda: list(store.list("a/")),
        "download": lambda: store.download("a", tmp_path / "out"),
        "write": lambda: store.write("b", b""),
        "create": lambda: store.create("b", b""),
        "upload": lambda: store.upload(tmp_path / "in", "b"),
    }


def test_a_user_who_may_only_read(s3_store, as_user, reader, tmp_path):
    s3_store.write("a", b"bytes")
    for use, call in uses(as_user(*reader), tmp_path).items():
        if use in ("write", "create", "upload"):
            with pytest.raises(StoragePermissionError, match=rf"no permission for b in {s3_store.url} .* is denied"):
                call()
        else:
            call()
    assert not s3_store.exists("b")


@pytest.mark.parametrize(
    ("access", "said", "remedy"),
    [
        ("nobody", "does not know the access key", "AWS_ACCESS_KEY_ID"),
        ("owner", "secret key does not belong to the access key", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_keys(s3_store, as_user, tmp_path, access, said, remedy):
    s3_store.write("a", b"bytes")
    for call in uses(as_user(access, "wrong-secret"), tmp_path).values():
        with pytest.raises(StoragePermissionError, match=said) as caught:
            call()
        assert remedy in caught.value.remedy
        assert "wrong-secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("grids/a b/report.html", "text/html; charset=utf-8"),
        ("report.md", "text/plain; charset=utf-8"),
        ("results.csv", "text/plain; charset=utf-8"),
        ("plots/é.png", "image/png"),
        ("model.keras", "application/octet-stream"),
    ],
)
def test_a_link_opens_the_object_without_keys(s3_store, name, media_type):
    s3_store.write(name, "blåbær".encode())
    with urllib.request.urlopen(s3_store.link(name)) as reply:
        assert reply.read().decode() == "blåbær"
        assert reply.headers["Content-Type"] == media_type
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(s3_store.link(name).partition("?")[0])


def test_a_link_expires(s3_store):
    s3_store.write("a", b"")
    link = s3_store.link("a", lasting=timedelta(seconds=4))  # from the start of the second in which it is signed
    urllib.request.urlopen(link).close()
    time.sleep(5.1)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link)
