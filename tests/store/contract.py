"""What every store must do. A subclass gives the store, by a fixture `store`; pytest runs the tests in the subclass."""

import gc
import pickle
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bloodcell.errors import DataError, ObjectNotFoundError, StorageFullError
from bloodcell.store import Store

MEBIBYTE = 2**20


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Files of this process may not grow beyond `size` bytes: a disk that is full for this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class StoreContract:
    def test_pickled_it_is_a_store_of_the_same_place(self, store):
        store.write("a", b"1")
        given = pickle.loads(pickle.dumps(store))
        assert given.url == store.url
        assert given.read("a") == b"1"

    def test_what_is_written_is_read(self, store: Store):
        assert not store.exists("a/b.json")
        store.write("a/b.json", b"one")
        store.write("a/b.json", b"two")
        assert store.exists("a/b.json")
        assert store.read("a/b.json") == b"two"

    def test_an_empty_object_is_an_object(self, store: Store, tmp_path: Path):
        store.write("a", b"")
        store.download("a", tmp_path / "out")
        assert store.exists("a")
        assert store.read("a") == (tmp_path / "out").read_bytes() == b""

    def test_a_folder_is_no_object(self, store: Store):
        store.write("a/b.json", b"")
        assert not store.exists("a")
        for name in ("a", "a/b.json/c"):
            with pytest.raises(ObjectNotFoundError, match=f"holds no {name}"):
                store.read(name)

    @pytest.mark.parametrize("name", ["a b/ü.json", "a+b%20c", "a?b#c&d=e", "plots/row-1.5 (2).png", "ü/" + "x" * 200])
    def test_a_name_may_hold_what_a_file_name_may(self, store: Store, tmp_path: Path, name: str):
        store.write(name, b"bytes")
        store.download(name, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == store.read(name) == b"bytes"
        assert list(store.list(name.partition("/")[0] + "/")) == [name] * ("/" in name)

    @pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "", ".", "a\0b"])
    def test_a_name_that_leaves_the_store_is_refused(self, store: Store, name: str):
        uses = (store.read, store.exists, store.link, lambda name: store.write(name, b""))
        for use in (*uses, lambda name: store.create(name, b"")):
            with pytest.raises(DataError, match="object name is"):
                use(name)

    @pytest.mark.parametrize("size", [MEBIBYTE, 12 * MEBIBYTE + 1], ids=["one part", "three parts"])
    def test_files_are_copied_in_and_out(self, store: Store, tmp_path: Path, size: int):
        data = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]
        (tmp_path / "in").write_bytes(data)
        store.upload(tmp_path / "in", "a/model.keras")
        store.download("a/model.keras", tmp_path / "new" / "folder" / "out")
        assert (tmp_path / "new" / "folder" / "out").read_bytes() == data
        store.write("a/again", data)
        assert store.read("a/again") == data

    def test_a_missing_object_is_named(self, store: Store, tmp_path: Path):
        for number in (1, 2):  # the second miss may be told another way than the first
            assert not store.exists(f"a/{number}")
            with pytest.raises(ObjectNotFoundError, match=r"holds no a/b\.json"):
                store.read("a/b.json")
            with pytest.raises(ObjectNotFoundError, match=r"holds no a/b\.json"):
                store.download("a/b.json", tmp_path / "out")
        assert list(tmp_path.glob("out*")) == []

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_download_that_fails_leaves_no_target(self, store: Store, tmp_path: Path):
        store.write("a", b"x" * MEBIBYTE)
        with file_size_limit(4096), pytest.raises(StorageFullError, match="no space left for file") as caught:
            store.download("a", tmp_path / "out" / "file")
        assert "BLOODCELL_CACHE" in caught.value.remedy
        assert list((tmp_path / "out").iterdir()) == []
        del caught
        gc.collect()  # botocore leaves the reply that it was reading to this, and the next test must not find it

    def test_what_is_deleted_is_gone_and_nothing_else(self, store: Store):
        for name in ("a/b", "a/b.json", "a/c"):
            store.write(name, b"")
        store.delete("a/b")
        store.delete("a/b")  # once more, and nothing happens
        assert list(store.list("a/")) == ["a/b.json", "a/c"]
        assert store.create("a/b", b"anew")

    def test_names_are_listed_in_order_below_the_prefix_alone(self, store: Store):
        for name in ["a/c/2", "a/b", "a/c/10", "ab/x", "b"]:
            store.write(name, b"")
        assert list(store.list("a/")) == ["a/b", "a/c/10", "a/c/2"]
        assert list(store.list("a/c/")) == ["a/c/10", "a/c/2"]
        assert list(store.list("none/")) == []

    def test_more_objects_are_listed_than_one_reply_holds(self, store: Store):
        names = [f"a/{number:04}" for number in range(1200)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.write(name, b""), names))
        assert list(store.list("a/")) == names

    def test_an_object_is_created_once(self, store: Store):
        assert store.create("a/result.json", b"first")
        assert not store.create("a/result.json", b"second")
        assert store.read("a/result.json") == b"first"
        assert list(store.list("a/")) == ["a/result.json"]
        store.write("a/result.json", b"over it")
        assert store.read("a/result.json") == b"over it"

    def test_of_many_who_create_an_object_one_succeeds(self, store: Store):
        def create(number: int) -> bool:
            return store.create("a", b"%d" % number)

        with ThreadPoolExecutor(8) as pool:
            created = list(pool.map(create, range(32)))
        assert created.count(True) == 1
        assert store.read("a") == b"%d" % created.index(True)

    def test_concurrent_writers_leave_one_of_their_objects_whole(self, store: Store):
        payloads = [bytes([number]) * MEBIBYTE for number in range(8)]
        store.write("a", payloads[0])

        def write_and_read(payload: bytes) -> bytes:
            store.write("a", payload)
            return store.read("a")

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(write_and_read, payloads * 4)) <= set(payloads)
        assert store.read("a") in payloads
