"""A server or a bucket that is not there, for a moment or for good."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import pytest

from bloodcell.errors import StorageError, TransientError
from tests.faults import kinds
from tests.faults.uses import SMALL
from tests.integration.store.conftest import PATIENCE
from tests.store.aws import set_aws


def test_a_server_that_is_restarted(store, direct, proxy):
    direct.write("a", SMALL)
    with ThreadPoolExecutor() as pool:
        with proxy.refusing():
            readings = [pool.submit(store.read, "a"), pool.submit(store.create, "b", SMALL)]
            time.sleep(2)
            assert not any(reading.done() for reading in readings)
        assert [reading.result() for reading in readings] == [SMALL, True]


def test_a_server_that_stays_away(uses, proxy):
    with proxy.refusing():
        outcomes = uses.all()
    assert {type(error) for error, _ in outcomes.values()} == {TransientError}
    assert max(seconds for _, seconds in outcomes.values()) < PATIENCE + 4  # the last try begins in time


def test_a_server_that_nobody_has_seen_is_not_waited_for(open_at, proxy):
    store = open_at(seen=False, patience=60)
    with proxy.refusing():
        started = time.monotonic()
        with pytest.raises(TransientError, match="cannot be reached"):
            store.read("a")
    assert time.monotonic() - started < 10


def remove(bucket) -> None:
    bucket.objects.all().delete()
    bucket.delete()


def test_a_bucket_that_vanishes_and_returns(own_bucket, open_at):
    store = open_at("vanishing", seen=False, patience=30)
    assert not store.exists("a")  # by which it is seen
    remove(own_bucket)
    back = Timer(2, own_bucket.create)
    back.start()
    store.write("a", SMALL)
    assert store.read("a") == SMALL
    back.join()
    remove(own_bucket)


def test_a_bucket_that_has_vanished_is_told_from_one_that_never_was(own_bucket, open_at, tmp_path):
    remove(own_bucket)
    seen, unseen = open_at("vanishing", patience=1), open_at("vanishing", seen=False)
    for look in (lambda store: store.exists("a"), lambda store: store.download("a", tmp_path / "a")):
        with pytest.raises(TransientError, match=r"the bucket was there, and is gone \(NoSuchBucket\)"):
            look(seen)
        with pytest.raises(StorageError, match="there is no such bucket"):
            look(unseen)


def test_an_experiment_whose_store_has_gone_asks_for_another_attempt(proxy, s3_server, monkeypatch, tmp_path):
    """With the patience of every day: a minute. Of a bucket too that its process has never seen, as its planner has."""
    proxy.clear()
    for bucket, fault in {"expired": kinds.EXPIRED, "skewed": kinds.SKEWED, "failing": kinds.ERROR}.items():
        proxy.all(fault, when=lambda exchange, bucket=bucket: exchange.path.startswith(f"/{bucket}/"))
    set_aws(monkeypatch, **s3_server.environment | {"AWS_ENDPOINT_URL": proxy.url})
    monkeypatch.setenv("BLOODCELL_CACHE", str(tmp_path))
    command = [sys.executable, "-m", "bloodcell", "run", "--key", "basic"]
    started = time.monotonic()
    children = {
        bucket: subprocess.Popen(
            command, env=os.environ | {"BLOODCELL_STORE": f"s3://{bucket}"}, stdout=subprocess.PIPE, text=True
        )
        for bucket in ("vanished", "expired", "skewed", "failing")
    }
    said = {bucket: child.communicate(timeout=120)[0] for bucket, child in children.items()}
    assert {bucket: child.returncode for bucket, child in children.items()} == dict.fromkeys(children, 75)
    assert 45 < time.monotonic() - started < 90
    for bucket, words in {"vanished": "was there, and is gone", "expired": "have expired", "skewed": "clock"}.items():
        assert words in said[bucket]
