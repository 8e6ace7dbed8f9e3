"""A real S3 server behind a link that fails. docs/reliability.md names these tests, and what they measured.

Patience and timeouts are short here; what is bounded by them is bounded by theirs elsewhere.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import boto3
import pytest

from bloodcell.errors import BloodcellError, CorruptObjectError, StorageError, TransientError
from bloodcell.store import Store
from bloodcell.store.s3 import S3Store
from bloodcell.store.s3_client import s3_client
from tests.faults import kinds
from tests.faults.kinds import Exchange, Fault, Slow, Stall
from tests.faults.proxy import FaultProxy
from tests.store.aws import set_aws

MEBIBYTE = 2**20
PART = 5 * MEBIBYTE
SMALL = b"small " * 50
LARGE = hashlib.sha256(b"seed").digest() * (6 * MEBIBYTE // 32)  # two parts
TIMEOUT = 1.0
PATIENCE = 5.0

PASSING: dict[str, Fault] = {
    "500": kinds.ERROR,
    "503": kinds.SLOW_DOWN,
    "reset": kinds.reset,
    "lost reply": kinds.lost_reply,
    "reset in body": kinds.reset_in_body,
    "truncated": kinds.truncated,
    "stall": Stall(3 * TIMEOUT),
    "stall in body": Stall(3 * TIMEOUT, in_body=True),
    "slow link": Slow(2 * MEBIBYTE),  # two and a half timeouts for a part
    "skewed clock": kinds.SKEWED,
    "expired credentials": kinds.EXPIRED,
    "no bucket": kinds.NO_BUCKET,
}
IN_BODY = ("reset in body", "truncated", "stall in body")
"""Faults of a reply's body, which the replies to write and create do not have."""

LASTING = {name: fault for name, fault in PASSING.items() if name != "slow link"}


@pytest.fixture(scope="module")
def proxy(s3_server) -> Iterator[FaultProxy]:
    with FaultProxy(s3_server.url) as proxy:
        yield proxy


@pytest.fixture
def open_at(proxy, s3_server, s3_store, monkeypatch) -> Callable[..., S3Store]:
    """Opens the test's store through the proxy; `s3_store` is the same, without it."""
    proxy.clear()
    set_aws(monkeypatch, **s3_server.environment | {"AWS_ENDPOINT_URL": proxy.url})
    bucket, prefix = s3_store.url.split("/")[2:]

    def open_at(bucket: str = bucket, *, seen: bool = True, patience: float = PATIENCE) -> S3Store:
        client = s3_client(read_timeout=TIMEOUT)
        return S3Store(bucket, prefix, client, part_size=PART, seen=seen, patience=patience)

    return open_at


@pytest.fixture
def store(open_at) -> S3Store:
    return open_at()


def about(use: str) -> Callable[[Exchange], bool]:
    """The requests of a method that matter: of a large object those for its parts."""

    def matters(exchange: Exchange) -> bool:
        part = {"download": exchange.fetches_object, "upload": "partNumber=" in exchange.path}
        return f"of-{use}" in exchange.path and part.get(use, True)

    return matters


class Uses:
    """Each method of a store, on objects of its own; called, they check what they got."""

    names = ("exists", "read", "list", "download", "write", "create", "upload")

    def __init__(self, store: Store, direct: Store, folder: Path) -> None:
        self.store, self.direct, self.folder = store, direct, folder
        (folder / "in").write_bytes(LARGE)
        for use in ("exists", "read", "list"):
            direct.write(f"of-{use}/a", SMALL)
        direct.upload(folder / "in", "of-download/a")

    def exists(self) -> None:
        assert self.store.exists("of-exists/a")

    def read(self) -> None:
        assert self.store.read("of-read/a") == SMALL

    def list(self) -> None:
        assert list(self.store.list("of-list/")) == ["of-list/a"]

    def download(self) -> None:
        self.store.download("of-download/a", self.folder / "out" / "file")
        assert (self.folder / "out" / "file").read_bytes() == LARGE

    def write(self) -> None:
        self.store.write("of-write/a", SMALL)
        assert self.direct.read("of-write/a") == SMALL

    def create(self) -> None:
        assert self.store.create("of-create/a", SMALL)
        assert self.direct.read("of-create/a") == SMALL

    def upload(self) -> None:
        self.store.upload(self.folder / "in", "of-upload/a")
        assert self.direct.read("of-upload/a") == LARGE

    def outcome(self, use: str) -> tuple[BaseException | None, float]:
        """How it ended, and after how many seconds."""
        started = time.monotonic()
        try:
            getattr(self, use)()
        except BloodcellError as error:
            return error, time.monotonic() - started
        return None, time.monotonic() - started

    def all(self) -> dict[str, tuple[BaseException | None, float]]:
        """All at once, as most of each is waiting."""
        with ThreadPoolExecutor(len(self.names)) as pool:
            return dict(zip(self.names, pool.map(self.outcome, self.names), strict=True))


@pytest.fixture
def uses(store, s3_store, tmp_path) -> Uses:
    return Uses(store, s3_store, tmp_path)


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_noticed(uses, proxy, name):
    for use in uses.names:
        proxy.next(*[PASSING[name]] * 2, when=about(use))
    outcomes = uses.all()
    assert {use: error for use, (error, _) in outcomes.items() if error} == {}
    assert all(any(f"of-{use}" in path for _, _, path in proxy.met) for use in uses.names)
    print(name, {use: round(seconds, 1) for use, (_, seconds) in outcomes.items()})


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_stays_is_told_in_time_and_leaves_nothing_half_done(uses, proxy, tmp_path, name):
    proxy.all(LASTING[name])
    outcomes = uses.all()
    print(name, {use: (type(error).__name__, round(seconds, 1)) for use, (error, seconds) in outcomes.items()})
    proxy.clear()
    for use, (error, seconds) in outcomes.items():
        if name in IN_BODY and use in ("write", "create"):
            assert error is None
        else:
            assert type(error) is TransientError, use
            assert seconds < PATIENCE + 4 * TIMEOUT + 7, use  # the last try begins in time
    assert list((tmp_path / "out").iterdir()) == []
    for use, whole in {"write": SMALL, "create": SMALL, "upload": LARGE}.items():
        assert not uses.direct.exists(f"of-{use}/a") or uses.direct.read(f"of-{use}/a") == whole, use


def test_a_server_that_is_restarted(store, s3_store, proxy):
    s3_store.write("a", SMALL)
    with ThreadPoolExecutor() as pool:
        with proxy.refusing():
            readings = [pool.submit(store.read, "a"), pool.submit(store.create, "b", SMALL)]
            time.sleep(2)
            assert not any(reading.done() for reading in readings)
        assert [reading.result() for reading in readings] == [SMALL, True]


def test_a_server_that_stays_away(uses, proxy):
    with proxy.refusing():
        outcomes = uses.all()
    print("refused", {use: (type(error).__name__, round(seconds, 1)) for use, (error, seconds) in outcomes.items()})
    assert {type(error) for error, _ in outcomes.values()} == {TransientError}
    assert max(seconds for _, seconds in outcomes.values()) < PATIENCE + 1


def test_a_server_that_nobody_has_seen_is_not_waited_for(open_at, proxy):
    with proxy.refusing():
        started = time.monotonic()
        with pytest.raises(TransientError, match="cannot be reached"):
            open_at(seen=False, patience=60).read("a")
    print("unseen", time.monotonic() - started)
    assert time.monotonic() - started < 2


@pytest.fixture
def own_bucket(s3_server, monkeypatch) -> Iterator:
    """A bucket that the test may delete, as a resource of boto3's, without the proxy."""
    set_aws(monkeypatch, **s3_server.environment)
    bucket = boto3.resource("s3", endpoint_url=s3_server.url, region_name="us-east-1").Bucket("vanishing")
    bucket.create()
    yield bucket


def remove(bucket) -> None:
    bucket.objects.all().delete()
    bucket.delete()


def test_a_bucket_that_vanishes_and_returns(own_bucket, open_at):
    store = open_at("vanishing", seen=False)
    assert not store.exists("a")  # by which it is seen
    remove(own_bucket)
    back = Timer(2, own_bucket.create)
    back.start()
    started = time.monotonic()
    store.write("a", SMALL)
    print("returned", time.monotonic() - started)
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


@pytest.mark.parametrize("losses", [1, 4], ids=["botocore tries again", "the store does"])
def test_an_object_is_ours_though_we_never_heard_of_it(store, s3_store, proxy, losses):
    proxy.next(*[kinds.lost_reply] * losses, when=lambda exchange: exchange.method == "PUT")
    assert store.create("a", SMALL)
    assert s3_store.read("a") == SMALL
    assert len(proxy.met) == losses


@pytest.mark.parametrize("fault", [kinds.lost_reply, kinds.ERROR, kinds.NO_BUCKET])
def test_an_object_is_not_ours_where_another_was_first(store, s3_store, proxy, fault):
    s3_store.write("a", b"another's")
    proxy.next(*[fault] * 2, when=lambda exchange: exchange.method == "PUT")
    assert not store.create("a", SMALL)
    assert s3_store.read("a") == b"another's"


def test_an_upload_whose_end_was_lost(store, s3_store, proxy, tmp_path):
    (tmp_path / "in").write_bytes(LARGE)
    proxy.next(kinds.lost_reply, when=lambda exchange: exchange.method == "POST" and "uploadId=" in exchange.path)
    store.upload(tmp_path / "in", "a")
    assert len(proxy.met) == 1
    assert s3_store.read("a") == LARGE


@pytest.mark.parametrize("times", [1, 2])
def test_damaged_bytes_are_fetched_again(uses, proxy, times):
    for use in ("read", "download"):
        proxy.next(*[kinds.flipped] * times, when=about(use))
    uses.read()
    uses.download()
    assert len(proxy.met) == 2 * times


def test_an_object_is_damaged_that_is_so_three_times(uses, proxy, tmp_path):
    proxy.all(kinds.flipped, when=lambda exchange: exchange.fetches_object)
    error, seconds = uses.outcome("read")
    assert type(error) is CorruptObjectError
    assert len(proxy.met) == 3
    error, seconds = uses.outcome("download")
    print("damaged", seconds)
    assert type(error) is CorruptObjectError
    assert len(proxy.met) == 3 + 3 * 2  # parts
    assert list((tmp_path / "out").iterdir()) == []


def test_bytes_that_are_damaged_on_their_way_there(store, s3_store, proxy, tmp_path):
    (tmp_path / "in").write_bytes(LARGE)
    proxy.next(kinds.flipped_upload, when=lambda exchange: exchange.method == "PUT")
    store.write("a", SMALL)
    assert s3_store.read("a") == SMALL
    proxy.next(kinds.flipped_upload, when=lambda exchange: "partNumber=" in exchange.path)
    store.upload(tmp_path / "in", "b")
    assert s3_store.read("b") == LARGE
    assert len(proxy.met) == 2


def test_a_bad_hour(store, proxy, tmp_path):
    faults = [fault for name, fault in LASTING.items() if "stall" not in name]
    proxy.some(dict.fromkeys([*faults, kinds.flipped], 0.03), seed=1)
    (tmp_path / "in").write_bytes(LARGE)
    for number in range(30):
        assert store.create(f"a/{number:02}", b"%d" % number)
        assert store.exists(f"a/{number:02}")
        assert store.read(f"a/{number:02}") == b"%d" % number
    for number in range(3):
        store.upload(tmp_path / "in", f"b/{number}")
        store.download(f"b/{number}", tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == LARGE
    assert list(store.list("a/")) == [f"a/{number:02}" for number in range(30)]
    assert len(proxy.met) > 20
    print("met", len(proxy.met))
