"""What every store in a bucket must do besides; a subclass gives `client` and `bucket` too."""

import gc
import hashlib
import os
import signal
import time
from pathlib import Path
from threading import Event

import pytest

from bloodcell.errors import CorruptObjectError, StoppedError, StorageError
from bloodcell.store.s3 import S3Store
from tests.store.contract import MEBIBYTE, StoreContract

PART = 5 * MEBIBYTE
"""The least that S3 takes."""


def key_of(store: S3Store, name: str) -> str:
    return f"{store.url}/{name}".split("/", 3)[3]


class S3StoreContract(StoreContract):
    @pytest.fixture
    def store(self, client, bucket, prefix) -> S3Store:
        return S3Store(bucket, prefix, client, part_size=PART)

    def test_a_large_object_travels_in_parts_and_says_how_far_it_is(self, client, bucket, prefix, tmp_path):
        calls = []
        store = S3Store(bucket, prefix, client, part_size=PART, progress=lambda *call: calls.append(call))
        (tmp_path / "in").write_bytes(b"x" * (12 * MEBIBYTE))
        for move in (lambda: store.upload(tmp_path / "in", "a"), lambda: store.download("a", tmp_path / "out")):
            calls.clear()
            move()
            assert {(name, total) for name, _, total in calls} == {("a", 12 * MEBIBYTE)}
            assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)
            assert calls[-1][1] == 12 * MEBIBYTE
            assert len(calls) >= 3
        assert client.head_object(Bucket=bucket, Key=key_of(store, "a"))["ETag"].endswith('-3"')

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("use", ["upload", "download"])
    def test_what_interrupts_a_transfer_ends_it(self, client, bucket, prefix, tmp_path, use):
        def interrupt(*_) -> None:
            raise StoppedError("stopped", remedy="")

        (tmp_path / "in").write_bytes(b"x" * 8 * PART)
        if use == "download":
            S3Store(bucket, prefix, client).upload(tmp_path / "in", "a")
        once = [signal.SIGUSR1]
        interrupted = Event()

        def progress(*_) -> None:  # in a thread of the transfer
            if once:
                time.sleep(0.5)  # by now the main one waits
                os.kill(os.getpid(), once.pop())
                interrupted.wait(30)

        store = S3Store(bucket, prefix, client, part_size=PART, progress=progress)
        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            with pytest.raises(StoppedError):
                store.upload(tmp_path / "in", "a") if use == "upload" else store.download("a", tmp_path / "out" / "a")
        finally:
            signal.signal(signal.SIGUSR1, before)
            interrupted.set()
        store._transfers.shutdown()  # waits for its threads
        gc.collect()  # s3transfer leaves the reply that it was reading to this
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")
        assert store.exists("a") is (use == "download")
        assert list(tmp_path.glob("out/*")) == []

    def test_an_object_has_its_hash_and_type(self, store, client, bucket):
        store.write("report.html", b"<p>")
        store.create("report.md", b"text")
        head = client.head_object(Bucket=bucket, Key=key_of(store, "report.html"))
        assert head["Metadata"]["sha256"] == hashlib.sha256(b"<p>").hexdigest()
        assert head["ContentType"] == "text/html; charset=utf-8"
        head = client.head_object(Bucket=bucket, Key=key_of(store, "report.md"))
        assert head["Metadata"]["sha256"] == hashlib.sha256(b"text").hexdigest()
        assert head["ContentType"].startswith("text/markdown")

    def test_other_bytes_than_were_written_are_told(self, store, client, bucket, tmp_path: Path):
        store.write("a/b", b"right")
        right = client.head_object(Bucket=bucket, Key=key_of(store, "a/b"))["Metadata"]
        client.put_object(Bucket=bucket, Key=key_of(store, "a/b"), Body=b"wrong", Metadata=right)
        received, recorded = (hashlib.sha256(data).hexdigest() for data in (b"wrong", b"right"))
        for read in (lambda: store.read("a/b"), lambda: store.download("a/b", tmp_path / "out")):
            with pytest.raises(CorruptObjectError, match=f"a/b in s3://.* {received}, not {recorded}"):
                read()
        assert list(tmp_path.iterdir()) == []

    def test_an_object_of_another_tool_is_taken_as_it_is(self, store, client, bucket, tmp_path: Path):
        client.put_object(Bucket=bucket, Key=key_of(store, "a"), Body=b"bytes")
        store.download("a", tmp_path / "out")
        assert store.read("a") == (tmp_path / "out").read_bytes() == b"bytes"

    def test_the_folders_that_consoles_make_are_no_objects(self, store, client, bucket):
        client.put_object(Bucket=bucket, Key=key_of(store, "a/folder/"), Body=b"")
        store.write("a/b", b"")
        assert list(store.list("a/")) == ["a/b"]

    def test_stores_below_other_prefixes_are_apart(self, client, bucket, prefix):
        one, other = S3Store(bucket, f"{prefix}/one", client), S3Store(bucket, f"{prefix}/one-more/", client)
        one.write("a/b", b"")
        assert not other.exists("a/b")
        assert list(other.list("a/")) == []
        assert list(S3Store(bucket, prefix, client).list("one/")) == ["one/a/b"]
        whole = S3Store(bucket, "", client)
        assert whole.url == f"s3://{bucket}"
        assert list(whole.list(f"{prefix}/")) == [f"{prefix}/one/a/b"]

    @pytest.mark.parametrize("use", ["exists", "read", "write", "create", "upload", "download", "list"])
    def test_a_missing_bucket_is_named(self, client, tmp_path: Path, use: str):
        store = S3Store("no-such-bucket-here", "p", client)
        (tmp_path / "in").write_bytes(b"")
        arguments = {
            "write": ("a", b""),
            "create": ("a", b""),
            "upload": (tmp_path / "in", "a"),
            "download": ("a", tmp_path / "out"),
            "list": ("a/",),
        }.get(use, ("a",))
        with pytest.raises(
            StorageError, match=r"in s3://no-such-bucket-here/p at .*: there is no such bucket"
        ) as caught:
            list(getattr(store, use)(*arguments) or ())
        assert "create the bucket" in caught.value.remedy
        assert not (tmp_path / "out").exists()
